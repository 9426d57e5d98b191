"""Changes that a release of Lightning or torchmetrics could bring and that alter no figure: none may be objected to.

To try another, write one function here.
"""

import torch
from changes import Change, around, tell_that_it_was_reached
from planting import hook_caller, logger_connector, part, pl, results, training_epoch_loop

LOGGED_FIGURES = "epoch_averaging/per_batch_logging/recommended@digits/ragged"
READ_BY_CALLBACKS = "epoch_averaging/per_batch_logging/migrated@digits/ragged"
LOGGED_METRIC = "epoch_end_hooks/basic_metric/recommended@digits/ragged"
METRIC_IN_HOOKS = "epoch_end_hooks/basic_metric/migrated@digits/ragged"
HOOKS = "epoch_end_reliability/lightning_hooks/as_documented@short/diabetes"

HARMLESS = []


def harmless(on, **more):
    def add(function):
        HARMLESS.append(Change(function, on, **more))
        return function

    return add


def rename(owner, name, new):
    """An attribute of instances is kept under another name, and still answers to the old one."""

    def get(self):
        tell_that_it_was_reached(name)
        return getattr(self, new)

    setattr(owner, name, property(get, lambda self, value: setattr(self, new, value)))


@harmless(on=LOGGED_METRIC)
def private_attribute_of_results_renamed():
    """A private flag of logged values has another name."""
    rename(results()._ResultMetric, "has_reset", "_is_empty")


@harmless(on=LOGGED_FIGURES)
def private_counter_renamed():
    """The private counter of optimiser steps has another name."""
    rename(training_epoch_loop(), "_batches_that_stepped", "_optimiser_steps_for_loggers")


@harmless(on=LOGGED_FIGURES)
def private_function_with_another_argument():
    """A private function takes one more keyword, with a default."""

    @around(results()._ResultCollection, "_extract_batch_size")
    def extract_batch_size(inner, self, value, batch_size, meta, *, strict=False):
        return inner(self, value, batch_size, meta)


@harmless(on="epoch_end_hooks/basic_metric/as_documented@digits/ragged", needs="pytorch_lightning>=2.0")
def refusal_worded_differently():
    """The exception for a removed hook says the same in other words."""

    @around(part("trainer.trainer"), "_verify_loop_configurations")
    def verify(inner, trainer):
        try:
            inner(trainer)
        except NotImplementedError as error:
            raise NotImplementedError("This hook is gone; please read the migration guide.") from error


@harmless(on=LOGGED_FIGURES)
def new_warning():
    """Every `self.log` in a step warns of something."""

    @around(results()._ResultCollection, "log")
    def log(inner, self, *args, **kwargs):
        part("utilities.rank_zero").rank_zero_warn("Consider logging less often.")
        inner(self, *args, **kwargs)


@harmless(on=LOGGED_FIGURES)
def shown_differently():
    """A debug message shows the logged values, which have another representation."""

    @around(results()._ResultMetric, "__repr__")
    def represent(inner, self):
        return f"<{self.meta.name}>"

    @around(results()._ResultCollection, "log")
    def log(inner, self, *args, **kwargs):
        inner(self, *args, **kwargs)
        print(repr(self))


@harmless(on=METRIC_IN_HOOKS)
def new_hook():
    """Modules and callbacks have one more hook, called where an epoch ends."""
    pl.LightningModule.on_epoch_boundary = lambda *_: None
    pl.Callback.on_epoch_boundary = lambda *_: None
    for caller in ("_call_lightning_module_hook", "_call_callback_hooks"):

        @around(hook_caller(), caller)
        def call(inner, trainer, hook_name, *args, **kwargs):
            if hook_name in ("on_train_epoch_end", "on_validation_epoch_end"):
                inner(trainer, "on_epoch_boundary")
            return inner(trainer, hook_name, *args, **kwargs)


@harmless(on=METRIC_IN_HOOKS)
def module_before_callbacks():
    """At the start of a training epoch the module's hook runs before the callbacks' ones."""
    waiting = []

    @around(hook_caller(), "_call_callback_hooks")
    def call_callbacks(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == "on_train_epoch_start":
            waiting.append(inner)
        else:
            inner(trainer, hook_name, *args, **kwargs)

    @around(hook_caller(), "_call_lightning_module_hook")
    def call_module(inner, trainer, hook_name, *args, **kwargs):
        result = inner(trainer, hook_name, *args, **kwargs)
        if hook_name == "on_train_epoch_start":
            waiting.pop()(trainer, hook_name)
        return result


@harmless(on=LOGGED_METRIC)
def more_work():
    """Logging costs more time."""

    @around(results()._ResultCollection, "log")
    def log(inner, self, *args, **kwargs):
        torch.eye(100).matrix_power(20)
        inner(self, *args, **kwargs)


@harmless(on=LOGGED_FIGURES)
def unrelated_figure_logged():
    """The logger is told the memory in use, step by step and once per epoch."""

    @around(logger_connector(), "log_metrics")
    def log_metrics(inner, self, metrics, step=None):
        inner(self, {"memory": torch.tensor(1.0)}, step)
        inner(self, metrics, step)


@harmless(on=LOGGED_FIGURES)
def figures_written_one_by_one():
    """The logger gets every figure in a call of its own, the last one first."""

    @around(logger_connector(), "log_metrics")
    def log_metrics(inner, self, metrics, step=None):
        for name in reversed(metrics):
            inner(self, {name: metrics[name]}, step)


@harmless(on=READ_BY_CALLBACKS)
def figures_in_another_order():
    """Logged values are gone through in another order."""

    @around(results()._ResultCollection, "valid_items")
    def valid_items(inner, self):
        return reversed(list(inner(self)))


@harmless(on=LOGGED_FIGURES)
def sums_in_double_precision():
    """Sums are kept in float64."""

    @around(results()._ResultMetric, "update")
    def update(inner, self, value, batch_size):
        inner(self, value.double() if self.is_tensor else value, batch_size)


@harmless(on=LOGGED_FIGURES)
def running_mean_in_place_of_a_sum():
    """The mean is updated batch by batch, and rounds differently."""

    @around(results()._ResultMetric, "update")
    def update(inner, self, value, batch_size):
        if not self.is_tensor:
            return inner(self, value, batch_size)
        before, count = self.value, self.cumulated_batch_size
        inner(self, value, batch_size)
        mean = before / count.clamp(min=1)
        mean = mean + (value - mean) * (batch_size / (count + batch_size))
        self.value = mean * (count + batch_size)
        return None


@harmless(on=METRIC_IN_HOOKS)
def whole_epoch_fetched_ahead():
    """All batches of an epoch are fetched before the first of them is used."""

    @around(torch.utils.data.DataLoader, "__iter__")
    def iterate(inner, self):
        return iter(list(inner(self)))


@harmless(on=METRIC_IN_HOOKS)
def batches_copied():
    """A step is given copies of the tensors that the loader gave."""

    @around(part("strategies").Strategy, "batch_to_device")
    def batch_to_device(inner, self, batch, *args, **kwargs):
        return [tensor.clone() for tensor in inner(self, batch, *args, **kwargs)]


@harmless(on=METRIC_IN_HOOKS)
def metric_computed_early():
    """torchmetrics computes a metric once more, ahead of time, after every update."""
    from torchmetrics.classification import MulticlassStatScores

    @around(MulticlassStatScores, "update")
    def update(inner, self, preds, target):
        inner(self, preds, target)
        type(self).compute(self)


@harmless(on=f"{HOOKS}#step.exception")
def exception_raised_once_more():
    """The exception that ends a training has passed through one more function, and has a note."""

    @around(part("trainer.call"), "_call_and_handle_interrupt")
    def fit(inner, *args, **kwargs):
        try:
            return inner(*args, **kwargs)
        except RuntimeError as error:
            error.advice = "It was raised while training."
            raise


@harmless(on=f"{HOOKS}#callback.raises_before")
def new_hook_where_training_fails():
    """Callbacks have one more hook, called after `on_exception`."""
    pl.Callback.on_failure = lambda *_: None

    @around(hook_caller(), "_call_callback_hooks")
    def call(inner, trainer, hook_name, *args, **kwargs):
        inner(trainer, hook_name, *args, **kwargs)
        if hook_name == "on_exception":
            inner(trainer, "on_failure")


@harmless(on=f"{HOOKS}#step.nan_loss")
def stopping_decided_earlier():
    """Early stopping looks at its figure when validation ends, not when the training epoch does."""

    @around(pl.callbacks.EarlyStopping, "setup")
    def setup(inner, self, *args, **kwargs):
        inner(self, *args, **kwargs)
        self._check_on_train_epoch_end = False
