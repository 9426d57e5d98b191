"""Bugs that a release of Lightning or torchmetrics could bring; each is planted inside a trial and must be caught.

To plant another, write one function here.
"""

import torch
from changes import Change, around, planting_into, tell_that_it_was_reached
from planting import hook_caller, logger_connector, part, pl, results, training_epoch_loop

LOGGED_FIGURES = "epoch_averaging/per_batch_logging/recommended@digits/ragged"
READ_BY_CALLBACKS = "epoch_averaging/per_batch_logging/migrated@digits/ragged"
LOGGED_METRIC = "epoch_end_hooks/basic_metric/recommended@digits/ragged"
METRIC_IN_HOOKS = "epoch_end_hooks/basic_metric/migrated@digits/ragged"
MANY_METRICS = "epoch_averaging/metric_reduction/recommended@digits/ragged"
SUMS_IN_HOOKS = "epoch_averaging/manual_average/recommended@digits/ragged"
TARGETS_UNUSED = "epoch_end_hooks/custom_outputs/recommended@digits/even"

PLANTS: list[Change] = []
plant = planting_into(PLANTS)


# How figures are reduced over an epoch


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "train_loss"))
def unweighted_mean():
    """A mean over batches in place of one over samples."""

    @around(results()._ResultMetric, "update")
    def update(inner, self, value, batch_size):
        inner(self, value, 1)


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "val_loss"))
def batch_size_of_the_batch_before():
    """The batch size that was inferred is kept for one batch too long."""
    sizes = []

    @around(results(), "extract_batch_size")
    def extract_batch_size(inner, batch):
        sizes.append(inner(batch))
        return sizes[-2] if len(sizes) > 1 else sizes[-1]


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "train_loss"))
def sums_in_half_precision():
    """Sums are kept in float16 to save memory."""

    @around(results()._ResultMetric, "update")
    def update(inner, self, value, batch_size):
        inner(self, value, batch_size)
        if self.is_tensor:
            self.value = self.value.half().float()


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "train_loss"))
def large_values_clipped():
    """Values beyond a limit are cut down to it, in silence."""

    @around(results()._ResultMetric, "update")
    def update(inner, self, value, batch_size):
        inner(self, value.clamp(-1, 1) if self.is_tensor else value, batch_size)


@plant(on="meta/nan_in_one_batch/recommended@digits/ragged", caught_by=("aggregate", "val_loss"))
def nan_dropped():
    """Values that are not finite are left out of the mean, in silence."""

    @around(results()._ResultMetric, "update")
    def update(inner, self, value, batch_size):
        if not self.is_tensor or value.isfinite():
            inner(self, value, batch_size)


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "train_loss"))
def weights_kept_from_the_epoch_before():
    """The sum starts afresh with every epoch, and the number of samples it is divided by does not."""

    @around(results()._ResultMetric, "reset")
    def reset(inner, self):
        weights = self.cumulated_batch_size if self.is_tensor else 0
        inner(self)
        if self.is_tensor:
            self.cumulated_batch_size = weights


@plant(on="epoch_averaging/metric_reduction/migrated@digits/ragged", caught_by=("aggregate", "val_f1"))
def sum_in_place_of_mean():
    """The name of a reduction is looked up wrongly."""

    @around(results()._Metadata, "_parse_reduce_fx")
    def parse(inner, self):
        if self.reduce_fx == "mean":
            self.reduce_fx = "sum"
        inner(self)


# Metric objects


@plant(on=LOGGED_METRIC, caught_by=("metric_state", "train_accuracy (train)"))
def metric_not_reset():
    """A metric object that was logged is no longer reset when its epoch ends."""

    @around(results()._ResultMetric, "reset")
    def reset(inner, self):
        if self.is_tensor:
            inner(self)
        else:
            self.has_reset = True


@plant(on=LOGGED_METRIC, caught_by=("metric_state", "val_accuracy (validation)"))
def sanity_check_leaks():
    """What the sanity check logged is not reset before the first epoch."""

    @around(logger_connector(), "reset_results")
    def reset_results(inner, self):
        if not self.trainer.sanity_checking:
            inner(self)


@plant(on=LOGGED_METRIC, caught_by=("aggregate", "train_epoch_accuracy"))
def validation_resets_training_metrics():
    """The end of a validation resets everything that was logged, the running training epoch's metrics too."""

    @around(logger_connector(), "reset_results")
    def reset_results(inner, self):
        self.trainer.fit_loop.epoch_loop._results.reset(metrics=True)
        inner(self)


@plant(on=LOGGED_METRIC, caught_by=("aggregate", "val_epoch_accuracy"))
def validation_computes_the_training_metric():
    """Two metric objects of one class are taken for one, so that validation reports the training set's figure."""
    seen_in_training = []

    @around(results()._ResultMetric, "update")
    def update(inner, self, value, batch_size):
        if self.meta.fx.startswith("training_step"):
            seen_in_training.append(value)
        elif seen_in_training:
            value = seen_in_training[-1]
        inner(self, value, batch_size)


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "train_acc"))
def batch_value_for_the_epochs():
    """At the end of the epoch the value of the last forward pass is reported, not the metric's own."""

    @around(results()._ResultMetric, "compute")
    def compute(inner, self):
        return inner(self) if self.is_tensor else self.value._forward_cache


@plant(on=METRIC_IN_HOOKS, caught_by=("aggregate", "val_epoch_accuracy"))
def one_sample_not_counted():
    """torchmetrics leaves the first sample of every batch out of its counts."""
    from torchmetrics.classification import MulticlassStatScores

    @around(MulticlassStatScores, "update")
    def update(inner, self, preds, target):
        inner(self, preds[1:], target[1:])


@plant(on="epoch_end_hooks/basic_metric/migrated@digits/batch_of_one", caught_by=("aggregate", "train_epoch_accuracy"))
def batches_of_one_ignored():
    """torchmetrics squeezes a batch of one sample until nothing is left of it."""
    from torchmetrics.classification import MulticlassStatScores

    @around(MulticlassStatScores, "update")
    def update(inner, self, preds, target):
        if len(target) > 1:
            inner(self, preds, target)


@plant(on=METRIC_IN_HOOKS, caught_by=("aggregate", "val_epoch_accuracy"))
def smaller_batches_ignored():
    """torchmetrics keeps to the size of the first batch, and ignores a smaller last one."""
    from torchmetrics.classification import MulticlassStatScores

    sizes = [0]

    @around(MulticlassStatScores, "update")
    def update(inner, self, preds, target):
        sizes.append(len(target))
        if len(target) == max(sizes):
            inner(self, preds, target)


@plant(on=MANY_METRICS, caught_by=("aggregate", "train_f1"))
def micro_in_place_of_macro():
    """torchmetrics ignores the average it is asked for."""
    from torchmetrics.classification import MulticlassF1Score

    @around(MulticlassF1Score, "__init__")
    def init(inner, self, num_classes, top_k=1, average="macro", *args, **kwargs):
        inner(self, num_classes, top_k, "micro", *args, **kwargs)


# What loggers, callbacks and the progress bar are told


@plant(on=LOGGED_FIGURES, caught_by=("report_step", "train_loss"))
def step_one_too_late():
    """The step is no longer taken back by one before an epoch's figures are reported."""

    @around(logger_connector(), "update_train_epoch_metrics")
    def update_train_epoch_metrics(inner, self):
        self.trainer.fit_loop.epoch_loop._batches_that_stepped += 1
        inner(self)
        self.trainer.fit_loop.epoch_loop._batches_that_stepped -= 1


@plant(on=LOGGED_FIGURES, caught_by=("report_step", "val_loss"))
def epoch_counted_from_one_for_the_logger():
    """The logger is told epochs from 1 on."""

    @around(logger_connector(), "log_metrics")
    def log_metrics(inner, self, metrics, step=None):
        inner(self, metrics and {**metrics, "epoch": self.trainer.current_epoch + 1}, step)


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "val_loss"))
def figures_of_the_epoch_before():
    """The logger is told what was computed an epoch ago."""
    computed = []

    @around(logger_connector(), "log_eval_end_metrics")
    def log_eval_end_metrics(inner, self, metrics):
        if not self.trainer.sanity_checking:
            computed.append(metrics)
            metrics = computed[-2:][0]
        inner(self, metrics)


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "train_loss"))
def reported_twice():
    """An epoch's training figures are written to the logger twice."""

    @around(logger_connector(), "update_train_epoch_metrics")
    def update_train_epoch_metrics(inner, self):
        self.log_metrics(self.metrics["log"])
        inner(self)


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "train_loss"))
def reported_again_after_the_last_epoch():
    """The last epoch's figures are flushed once more when training ends, as if there were another epoch."""
    written = []

    @around(logger_connector(), "update_train_epoch_metrics")
    def update_train_epoch_metrics(inner, self):
        written.append(self.metrics["log"])
        inner(self)

    @around(logger_connector(), "teardown")
    def teardown(inner, self):
        self.trainer.fit_loop.epoch_loop._batches_that_stepped -= 1
        self.log_metrics(written[-1])
        inner(self)


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "val_loss"))
def never_reported():
    """Validation figures reach callbacks, and never the logger."""

    @around(logger_connector(), "log_eval_end_metrics")
    def log_eval_end_metrics(inner, self, metrics):
        pass


@plant(on=LOGGED_FIGURES, caught_by=("aggregate", "train_loss"))
def training_and_validation_swapped():
    """The figures of the two stages are reported under each other's names."""
    other = {"train_loss": "val_loss", "val_loss": "train_loss"}

    @around(results()._ResultCollection, "log")
    def log(inner, self, fx, name, *args, **kwargs):
        inner(self, fx, other.get(name, name), *args, **kwargs)


@plant(on=READ_BY_CALLBACKS, caught_by=("aggregate", "train_loss (callback_metrics)"))
def callbacks_see_rounded_values():
    """`callback_metrics` holds two digits of what the logger is told."""

    @around(results()._ResultCollection, "metrics")
    def metrics(inner, self, on_step):
        figures = inner(self, on_step)
        figures["callback"] = {name: value.round(decimals=2) for name, value in figures["callback"].items()}
        return figures


@plant(on=LOGGED_FIGURES, caught_by=("training", "weights"))
def optimiser_that_does_not_step():
    """Gradients are computed, and nothing is made of them."""

    @around(torch.optim.Adam, "step")
    def step(inner, self, closure=None):
        return closure()


@plant(on=READ_BY_CALLBACKS, caught_by=("aggregate", "train_acc (progress_bar)"))
def bar_one_batch_behind():
    """The progress bar shows the value of the batch before."""
    shown = [{}]

    @around(results()._ResultCollection, "metrics")
    def metrics(inner, self, on_step):
        figures = inner(self, on_step)
        if figures["pbar"]:
            if figures["pbar"] != shown[-1]:
                shown.append(figures["pbar"])
            figures["pbar"] = shown[-2]
        return figures


@plant(
    on="epoch_end_hooks/basic_metric/as_documented@digits/ragged", caught_by=("aggregate", "val_epoch_accuracy"),
    needs="pytorch_lightning>=2.0",
)  # fmt: skip
def removed_hook_raises_something_else():
    """A module with a hook that was removed is refused with another type of exception."""

    @around(part("trainer.trainer"), "_verify_loop_configurations")
    def verify(inner, trainer):
        try:
            inner(trainer)
        except NotImplementedError as error:
            raise RuntimeError(*error.args) from error


# Batches


@plant(on=METRIC_IN_HOOKS, caught_by=("precision", "validation"))
def lower_precision_in_validation():
    """Validation steps run in bfloat16, whatever the precision that was asked for."""

    @around(part("strategies").Strategy, "validation_step")
    def validation_step(inner, self, *args):
        with torch.autocast("cpu", torch.bfloat16):
            return inner(self, *args)


@plant(on=METRIC_IN_HOOKS, caught_by=("samples", "validation"))
def last_validation_batch_dropped():
    """All of the validation batches are a little less than all of them, after rounding."""
    _limit_to_a_little_less_than_all("limit_val_batches")


@plant(on=METRIC_IN_HOOKS, caught_by=("samples", "train"))
def last_training_batch_dropped():
    """All of the training batches are a little less than all of them, after rounding."""
    _limit_to_a_little_less_than_all("limit_train_batches")


def _limit_to_a_little_less_than_all(limit):
    @around(part("trainer.setup"), "_determine_batch_limits")
    def determine(inner, batches, name):
        return 1 - 1e-9 if name == limit else inner(batches, name)


@plant(on=TARGETS_UNUSED, caught_by=("samples", "validation"))
def batch_validated_twice():
    """The first batch of a validation goes through the step twice."""

    @around(part("strategies").Strategy, "validation_step")
    def validation_step(inner, self, batch, batch_idx):
        if batch_idx == 0:
            inner(self, batch, batch_idx)
        return inner(self, batch, batch_idx)


@plant(on=TARGETS_UNUSED, caught_by=("samples", "train"))
def batch_trained_on_twice():
    """The closure of the first optimiser step runs twice."""

    @around(part("strategies").Strategy, "training_step")
    def training_step(inner, self, batch, batch_idx):
        if batch_idx == 0:
            inner(self, batch, batch_idx)
        return inner(self, batch, batch_idx)


@plant(on=TARGETS_UNUSED, caught_by=("samples", "validation"))
def batch_replaced_by_its_predecessor():
    """A transfer buffer is overwritten too late: every second batch is the one before it once more."""
    given = []

    @around(part("strategies").Strategy, "batch_to_device")
    def batch_to_device(inner, self, batch, *args, **kwargs):
        given.append(inner(self, batch, *args, **kwargs))
        return given[-2] if len(given) % 2 == 0 else given[-1]


@plant(on=LOGGED_METRIC, caught_by=("samples", "validation"))
def validation_skipped():
    """The third epoch is not validated."""

    @around(training_epoch_loop(), "_should_check_val_epoch")
    def should_check_val_epoch(inner, self):
        return self.trainer.current_epoch != 2 and inner(self)


@plant(on=LOGGED_METRIC, caught_by=("samples", "train"))
def epochs_counted_from_one():
    """`trainer.current_epoch` starts at 1."""
    current_epoch = pl.Trainer.current_epoch

    def one_more(trainer):
        tell_that_it_was_reached("current_epoch")
        return current_epoch.fget(trainer) + 1

    pl.Trainer.current_epoch = property(one_more, current_epoch.fset)


@plant(on=LOGGED_METRIC, caught_by=("samples", "train"))
def one_epoch_more():
    """Training goes on for one epoch more than it was asked for."""

    @around(part("loops.fit_loop"), "_is_max_limit_reached")
    def is_reached(inner, current, maximum=-1):
        return inner(current, maximum + 1 if maximum > 0 else maximum)


# Hooks


@plant(on=SUMS_IN_HOOKS, caught_by=("hook", "on_validation_epoch_end (validation)"))
def validation_hook_called_twice():
    """The module's `on_validation_epoch_end` runs twice; it logs the same value again, and the mean stays right."""
    _call_twice("_call_lightning_module_hook", "on_validation_epoch_end")


@plant(on=SUMS_IN_HOOKS, caught_by=("hook", "on_train_epoch_end (train)"))
def training_hook_called_twice():
    """The module's `on_train_epoch_end` runs twice; it logs the same value again, and the mean stays right."""
    _call_twice("_call_lightning_module_hook", "on_train_epoch_end")


@plant(on=LOGGED_METRIC, caught_by=("hook", "Callback.on_validation_epoch_end (validation)"))
def callbacks_called_twice():
    """Callbacks are told of the end of a validation twice."""
    _call_twice("_call_callback_hooks", "on_validation_epoch_end")


def _call_twice(caller, hook):
    @around(hook_caller(), caller)
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == hook:
            inner(trainer, hook_name, *args, **kwargs)
        return inner(trainer, hook_name, *args, **kwargs)


@plant(on=METRIC_IN_HOOKS, caught_by=("aggregate", "train_epoch_accuracy"))
def training_hook_never_called():
    """The module's `on_train_epoch_end` is taken for the base class's, and does not run."""
    _call_only_if("on_train_epoch_end", lambda _: False)


@plant(on=METRIC_IN_HOOKS, caught_by=("aggregate", "val_epoch_accuracy"))
def validation_hook_never_called():
    """The module's `on_validation_epoch_end` is taken for the base class's, and does not run."""
    _call_only_if("on_validation_epoch_end", lambda _: False)


@plant(
    on="epoch_end_hooks/conditional_logging/migrated@digits/ragged",
    caught_by=("hook", "on_train_epoch_end (train)"),
)  # fmt: skip
def training_hook_skipped_where_nothing_is_reported():
    """The module's `on_train_epoch_end` does not run in the first epoch, in which it would only reset a metric."""
    _call_only_if("on_train_epoch_end", lambda trainer: trainer.current_epoch > 0)


@plant(
    on="epoch_end_hooks/conditional_logging/recommended@digits/ragged",
    caught_by=("metric_state", "val_accuracy (validation)"),
)  # fmt: skip
def resetting_hook_never_called():
    """The module's `on_validation_epoch_start`, which resets a metric, does not run."""
    _call_only_if("on_validation_epoch_start", lambda _: False)


def _call_only_if(hook, wanted):
    @around(hook_caller(), "_call_lightning_module_hook")
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name != hook or wanted(trainer):
            return inner(trainer, hook_name, *args, **kwargs)
        return None
