"""Bugs that a release of Lightning could bring in what it does when something goes wrong, and in the order of hooks.

Each is planted inside a trial, under a fault where it shows only then, and must be caught. To plant another, write one
function here.
"""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import torch
from changes import Change, around
from planting import hook_caller, part, pl, training_epoch_loop

HOOKS = "epoch_end_reliability/lightning_hooks/as_documented@short/diabetes"
IN_ORDER = ("order", "hooks and steps")
CALLER = ("exception", "caller")
TOLD_OF_EXCEPTIONS = ("on_exception", "EpochLog.on_exception")
SINCE_2 = "pytorch_lightning>=2.0"

PLANTS = []


def plant(caught_by, fault="", **more):
    def add(function):
        PLANTS.append(Change(function, f"{HOOKS}#{fault}" if fault else HOOKS, caught_by, **more))
        return function

    return add


def cell(name):
    return "cell", name


def around_callbacks_hooks(function):
    """The decorated function gets what calls a hook on all callbacks, the trainer and the hook's name first."""
    around(hook_caller(), "_call_callback_hooks")(function)


def around_fit(function):
    """The decorated function gets what runs a training and deals with its exceptions."""
    around(part("trainer.call"), "_call_and_handle_interrupt")(function)


def skip_for_callbacks(hook, when=lambda _: True):
    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name != hook or not when(trainer):
            inner(trainer, hook_name, *args, **kwargs)


# The order of hooks


@plant(caught_by=IN_ORDER)
def epoch_ends_before_validation():
    """From the second on, callbacks are told of the end of an epoch before its validation begins."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if trainer.current_epoch > 0 and hook_name == "on_validation_start":
            inner(trainer, "on_train_epoch_end")
        if trainer.current_epoch == 0 or hook_name != "on_train_epoch_end":
            inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=cell("on_train_epoch_end"), fault="callback.raises_after")
def module_before_callbacks_at_the_end():
    """At the end of a training epoch the module's hook runs before the callbacks' ones."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == "on_train_epoch_end":
            trainer.lightning_module.on_train_epoch_end()
        inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=IN_ORDER)
def callbacks_in_reverse():
    """Callbacks are called from the last to the first."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        trainer.callbacks.reverse()
        inner(trainer, hook_name, *args, **kwargs)
        trainer.callbacks.reverse()


@plant(caught_by=("epoch_end", "EpochLog.on_train_epoch_end"), fault="process.early_stopping")
def epoch_ends_twice():
    """Where early stopping ends a training, the hooks that end the epoch run once more."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == "on_train_end":
            inner(trainer, "on_train_epoch_end")
        inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=cell("EpochLog.on_train_epoch_end"), fault="process.stop_requested")
def epoch_that_is_stopped_has_no_end():
    """Callbacks are not told of the end of an epoch in which training was stopped."""
    skip_for_callbacks("on_train_epoch_end", lambda trainer: trainer.should_stop)


@plant(caught_by=("bracket", "hooks and steps"), fault="process.early_stopping")
def epoch_starts_twice():
    """Callbacks are told twice that an epoch starts."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        for _ in range(2 if hook_name == "on_train_epoch_start" else 1):
            inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=IN_ORDER, fault="process.stop_requested")
def batch_that_stops_has_no_end():
    """Callbacks are not told of the end of the batch in which training was stopped."""
    skip_for_callbacks("on_train_batch_end", lambda trainer: trainer.should_stop)


@plant(caught_by=IN_ORDER, fault="process.early_stopping")
def step_taken_twice():
    """The closure of an epoch's first optimiser step runs twice."""

    @around(part("strategies").Strategy, "training_step")
    def training_step(inner, self, batch, batch_idx):
        if batch_idx == 0:
            inner(self, batch, batch_idx)
        return inner(self, batch, batch_idx)


# How a training ends


@plant(caught_by=cell("EpochLog.on_fit_end"), fault="process.early_stopping")
def fit_that_is_stopped_has_no_end():
    """Callbacks are not told that `fit` ends."""
    skip_for_callbacks("on_fit_end")


@plant(caught_by=cell("EpochLog.teardown"), fault="process.stop_requested")
def teardown_left_out():
    """Callbacks are not told to tear down what they set up."""
    skip_for_callbacks("teardown")


@plant(caught_by=cell("Logger.finalize"), fault="step.exception")
def logger_not_finalized():
    """Where a training fails, its logger is not finalized."""
    loggers = pl.Trainer.loggers

    def unless_interrupted(trainer):
        return [] if trainer.interrupted else loggers.fget(trainer)

    pl.Trainer.loggers = property(unless_interrupted, loggers.fset)


@plant(caught_by=IN_ORDER, fault="step.exception")
def logger_finalized_twice():
    """Whatever ends a training, its logger is finalized once more."""

    @around(pl.Trainer, "_teardown")
    def teardown(inner, self):
        for logger in self.loggers:
            logger.finalize("success")
        inner(self)


@plant(caught_by=("process", "exit"), fault="step.exception")
def process_left_behind():
    """Where a training fails, a process that it had started goes on."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == "on_exception":
            subprocess.Popen(["sleep", "60"])
        inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=("process", "exit"), fault="step.exception")
def shared_memory_left_behind():
    """Where a training fails, what was in shared memory stays there."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == "on_exception":
            Path("/dev/shm", f"planted-{os.getpid()}").touch()
        inner(trainer, hook_name, *args, **kwargs)


# Exceptions


@plant(caught_by=CALLER, fault="step.exception")
def exception_in_a_step_swallowed():
    """A step that raises is left out, and training goes on."""
    _leave_out_steps_that_raise(RuntimeError)


@plant(caught_by=CALLER, fault="step.out_of_memory")
def step_without_memory_left_out():
    """A step for which there is no memory is left out, in silence."""
    _leave_out_steps_that_raise(getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError))


def _leave_out_steps_that_raise(exception):
    @around(part("strategies").Strategy, "training_step")
    def training_step(inner, self, *args):
        try:
            return inner(self, *args)
        except exception:
            return None


@plant(caught_by=CALLER, fault="step.exception.validation")
def exception_wrapped():
    """What reaches the caller of `fit` is an exception of Lightning's own, with the original one as its cause."""

    @around_fit
    def fit(inner, *args, **kwargs):
        try:
            return inner(*args, **kwargs)
        except RuntimeError as error:
            raise ValueError(str(error)) from error


@plant(caught_by=CALLER, fault="step.exception")
def message_lost():
    """The exception that reaches the caller is of the right type, and its message is another."""

    @around_fit
    def fit(inner, *args, **kwargs):
        try:
            return inner(*args, **kwargs)
        except RuntimeError as error:
            raise type(error)("training failed") from error


@plant(caught_by=CALLER, fault="callback.raises_after")
def exception_of_a_callback_swallowed():
    """A callback that raises where an epoch ends is passed over."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        with suppress(RuntimeError):
            inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=CALLER, fault="callback.checkpoint_no_space")
def checkpoint_that_cannot_be_written_passed_over():
    """A checkpoint for which there is no space is passed over."""

    @around(pl.Trainer, "save_checkpoint")
    def save_checkpoint(inner, self, *args, **kwargs):
        with suppress(OSError, RuntimeError):
            inner(self, *args, **kwargs)


@plant(caught_by=CALLER, fault="loader.getitem_raises")
def error_in_a_loader_ends_the_epoch():
    """An exception in a loader is taken for its end."""

    @around(torch.utils.data.DataLoader, "__iter__")
    def iterate(inner, self):
        with suppress(RuntimeError):
            yield from inner(self)


@plant(caught_by=CALLER, fault="process.sys_exit")
def exit_ignored():
    """`sys.exit` in a step ends the training, and not the process."""

    @around_fit
    def fit(inner, *args, **kwargs):
        with suppress(SystemExit):
            inner(*args, **kwargs)


@plant(caught_by=TOLD_OF_EXCEPTIONS, fault="step.exception")
def callbacks_not_told_of_the_exception():
    """`on_exception` is not called."""
    skip_for_callbacks("on_exception")


@plant(caught_by=TOLD_OF_EXCEPTIONS, fault="step.exception.validation")
def callbacks_told_twice_of_the_exception():
    """`on_exception` is called where validation fails, and again where training does."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        for _ in range(2 if hook_name == "on_exception" else 1):
            inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=TOLD_OF_EXCEPTIONS, fault="process.early_stopping")
def callbacks_told_of_no_exception():
    """`on_exception` is called however a training ends."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == "teardown":
            inner(trainer, "on_exception", StopIteration())
        inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=("record", "epochs.log premature"), fault="step.exception")
def epoch_ends_after_an_exception():
    """The hooks that end an epoch are called for one that an exception has ended."""
    _call_before_on_exception("on_train_epoch_end")


@plant(caught_by=cell("EpochLog.on_train_end"), fault="step.exception")
def training_ends_after_an_exception():
    """Callbacks are told that training has ended, as if it were through, where an exception has ended it."""
    _call_before_on_exception("on_train_end")


def _call_before_on_exception(hook):
    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == "on_exception":
            inner(trainer, hook)
        inner(trainer, hook_name, *args, **kwargs)


# Signals


@plant(caught_by=TOLD_OF_EXCEPTIONS, fault="process.interrupt")
def interrupt_ignored():
    """Ctrl-C in a step ends the step, and training goes on."""
    _leave_out_steps_that_raise(KeyboardInterrupt)


@plant(caught_by=CALLER, fault="process.interrupt", needs="pytorch_lightning>=2.4")
def interrupt_passed_on():
    """Ctrl-C reaches the caller of `fit` as the `KeyboardInterrupt` that it began as."""

    @around_fit
    def fit(inner, *args, **kwargs):
        try:
            inner(*args, **kwargs)
        except SystemExit:
            raise KeyboardInterrupt from None


@plant(caught_by=IN_ORDER, fault="process.terminate", needs=SINCE_2)
def sigterm_ignored():
    """SIGTERM is noted, and nothing comes of it."""
    _ignore_sigterm()


@plant(caught_by=("process", "exit"), fault="process.terminate", needs="pytorch_lightning<2.0")
def sigterm_kept_from_the_process():
    """SIGTERM no longer ends the process."""
    _ignore_sigterm()


def _ignore_sigterm():
    connector = part("trainer.connectors.signal_connector")

    @around(getattr(connector, "_SignalConnector", None) or connector.SignalConnector, "register_signal_handlers")
    def register(inner, self):
        inner(self)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


@plant(caught_by=CALLER, fault="process.terminate", needs=SINCE_2)
def sigterm_not_passed_on():
    """SIGTERM ends a training in order, and its caller goes on as if it were through."""

    @around_fit
    def fit(inner, *args, **kwargs):
        with suppress(part("utilities.exceptions").SIGTERMException):
            inner(*args, **kwargs)


# What stops a training


@plant(caught_by=IN_ORDER, fault="process.stop_requested")
def stop_ignored():
    """`trainer.should_stop` is overwritten before anybody looks at it."""

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == "on_train_batch_end":
            trainer.should_stop = False
        inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=cell("EpochLog.on_validation_epoch_end"), fault="process.stop_requested")
def not_validated_where_it_is_stopped():
    """An epoch in which training was stopped is not validated."""

    @around(training_epoch_loop(), "_should_check_val_fx")
    def should_check_val_fx(inner, self, *args):
        return inner(self, *args) and not self.trainer.should_stop


@plant(caught_by=IN_ORDER, fault="process.max_time")
def time_ignored():
    """Nobody looks at the clock while an epoch goes on."""

    @around(pl.callbacks.Timer, "_check_time_remaining")
    def check_time_remaining(inner, self, trainer):
        pass


@plant(caught_by=IN_ORDER, fault="step.nan_loss")
def nan_does_not_stop():
    """Early stopping takes NaN for a figure as any other."""

    @around(pl.callbacks.EarlyStopping, "_evaluate_stopping_criteria")
    def evaluate_stopping_criteria(inner, self, current):
        return (False, None) if current.isnan() else inner(self, current)


# Loaders


@plant(caught_by=CALLER, fault="loader.runs_dry")
def dry_loader_raises():
    """A loader that gives fewer batches than it says ends the training."""

    @around(torch.utils.data.DataLoader, "__iter__")
    def iterate(inner, self):
        batches = list(inner(self))
        yield from batches
        if len(batches) < len(self):
            raise RuntimeError(f"{len(self)} batches were to come, and {len(batches)} did")


@plant(caught_by=cell("EpochLog.on_train_epoch_end"), fault="loader.empty_epoch")
def epoch_without_data_has_no_end():
    """Callbacks are not told of the end of an epoch without a batch."""
    steps = [0]

    @around_callbacks_hooks
    def call(inner, trainer, hook_name, *args, **kwargs):
        if hook_name == "on_train_epoch_start":
            steps.append(trainer.global_step)
        if hook_name != "on_train_epoch_end" or trainer.global_step > steps[-1]:
            inner(trainer, hook_name, *args, **kwargs)


@plant(caught_by=cell("EpochLog.on_validation_epoch_end"), fault="loader.runs_dry")
def short_epoch_validated():
    """An epoch whose loader ran dry is validated, against what there was up to now."""

    @around(training_epoch_loop(), "run")
    def run(inner, self, *args, **kwargs):
        result = inner(self, *args, **kwargs)
        if not self._num_ready_batches_reached():
            self.trainer.validating = True
            self.val_loop.run()
            self.trainer.training = True
        return result
