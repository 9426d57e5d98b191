"""Bugs that a release of Keras could bring; each is planted inside a trial and must be caught.

Keras is imported where a bug is planted, in the trial: the tests only list what is here.
"""

from contextlib import suppress

from changes import Change, around, planting_into

COMPILED = "strategies/keras_compiled/as_documented@digits/ragged"
FOUR_AT_ONCE = "strategies/keras_steps_per_execution/as_documented@digits/ragged"
WEIGHTED_BY_HAND = "strategies/keras_custom_step/recommended@digits/ragged"
HOOKS = "epoch_end_reliability/basic_callback/as_documented@short/diabetes"
ON_REPLICAS = "ranks/keras_compiled/as_documented@ranks/ragged"
SIDECAR = "parallel_validation/keras_sidecar/recommended@short/diabetes"
IN_ORDER = ("order", "hooks and steps")
CALLER = ("exception", "caller")

PLANTS: list[Change] = []
plant = planting_into(PLANTS)


@plant(on=COMPILED, caught_by=("aggregate", "loss"))
def weights_ignored():
    """The loss of a batch counts the same, however many samples the batch holds."""
    import keras

    @around(keras.metrics.Mean, "update_state")
    def update_state(inner, self, values, sample_weight=None):
        inner(self, values)


@plant(on=WEIGHTED_BY_HAND, caught_by=("aggregate", "val_loss"))
def mean_in_half_precision():
    """Results are rounded to float16 on their way to the logs."""
    import keras

    @around(keras.metrics.Mean, "result")
    def result(inner, self):
        return keras.ops.cast(keras.ops.cast(inner(self), "float16"), "float32")


@plant(on=COMPILED, caught_by=("metric_state", "accuracy (train)"))
def metrics_not_reset():
    """Metrics are no longer reset when an epoch begins."""
    import keras

    @around(keras.Model, "reset_metrics")
    def reset_metrics(inner, self):
        pass


@plant(on=FOUR_AT_ONCE, caught_by=("samples", "train"))
def last_batch_dropped():
    """The last batch of an epoch, which may be smaller, is left out."""
    import keras

    @around(keras.src.trainers.data_adapters.py_dataset_adapter.PyDatasetAdapter, "_finite_generator")
    def finite_generator(inner, self):
        batches = list(inner(self))
        yield from batches[: max(1, len(batches) - 1)]


@plant(on=COMPILED, caught_by=("hook", "Callback.on_epoch_end (train)"))
def callbacks_not_told_of_the_last_epoch():
    """Training returns before callbacks are told that the last epoch has ended."""
    import keras

    @around(keras.callbacks.CallbackList, "on_epoch_end")
    def on_epoch_end(inner, self, epoch, logs=None):
        if epoch < self.params["epochs"] - 1:
            inner(self, epoch, logs)


# The order of hooks, and what is done when something goes wrong


@plant(on=HOOKS, caught_by=IN_ORDER)
def epoch_ends_before_validation():
    """Callbacks are told of the end of an epoch before it is validated."""
    import keras

    @around(keras.callbacks.CallbackList, "on_epoch_end")
    def on_epoch_end(inner, self, epoch, logs=None):
        pass

    @around(keras.callbacks.CallbackList, "on_test_begin")
    def on_test_begin(inner, self, logs=None):
        for callback in self.callbacks:
            callback.on_epoch_end(0, {"loss": 0.0})
        inner(self, logs)


@plant(on=f"{HOOKS}#process.early_stopping", caught_by=("epoch_end", "EpochLog.on_epoch_end"))
def epoch_ends_twice():
    """Where early stopping ends a training, the hooks that end the epoch run once more."""
    import keras

    @around(keras.callbacks.CallbackList, "on_epoch_end")
    def on_epoch_end(inner, self, epoch, logs=None):
        inner(self, epoch, logs)
        if self.model.stop_training:
            inner(self, epoch, logs)


@plant(on=f"{HOOKS}#process.stop_requested", caught_by=("cell", "EpochLog.on_epoch_end"))
def epoch_that_is_stopped_has_no_end():
    """Callbacks are not told of the end of an epoch in which training was stopped."""
    import keras

    @around(keras.callbacks.CallbackList, "on_epoch_end")
    def on_epoch_end(inner, self, epoch, logs=None):
        if not self.model.stop_training:
            inner(self, epoch, logs)


@plant(on=f"{HOOKS}#process.stop_requested", caught_by=("cell", "EarlyStopping.on_train_end"))
def training_that_is_stopped_has_no_end():
    """Callbacks are not told of the end of a training that was stopped."""
    import keras

    @around(keras.callbacks.CallbackList, "on_train_end")
    def on_train_end(inner, self, logs=None):
        pass


@plant(on=f"{HOOKS}#process.stop_requested", caught_by=IN_ORDER)
def stop_ignored():
    """`model.stop_training` is overwritten before anybody looks at it."""
    import keras

    @around(keras.callbacks.CallbackList, "on_train_batch_end")
    def on_train_batch_end(inner, self, batch, logs=None):
        inner(self, batch, logs)
        self.model.stop_training = False


@plant(on=f"{HOOKS}#process.stop_requested", caught_by=IN_ORDER)
def not_validated_where_it_is_stopped():
    """An epoch in which training was stopped is not validated."""
    import keras

    @around(keras.Model, "_should_eval")
    def should_eval(inner, self, *args):
        return inner(self, *args) and not self.stop_training


@plant(on=f"{HOOKS}#callback.raises_after", caught_by=CALLER)
def exception_of_a_callback_swallowed():
    """A callback that raises where an epoch ends is passed over."""
    import keras

    @around(keras.callbacks.CallbackList, "on_epoch_end")
    def on_epoch_end(inner, self, epoch, logs=None):
        with suppress(RuntimeError):
            inner(self, epoch, logs)


@plant(on=f"{HOOKS}#callback.checkpoint_no_space", caught_by=CALLER)
def checkpoint_that_cannot_be_written_passed_over():
    """A checkpoint for which there is no space is passed over."""
    import keras

    @around(keras.callbacks.ModelCheckpoint, "_save_model")
    def save_model(inner, self, *args, **kwargs):
        with suppress(OSError):
            inner(self, *args, **kwargs)


@plant(on=f"{HOOKS}#step.exception", caught_by=CALLER)
def exception_in_a_step_swallowed():
    """`fit` returns what there is when a step fails."""
    import keras

    @around(keras.Model, "fit")
    def fit(inner, self, *args, **kwargs):
        with suppress(Exception):
            return inner(self, *args, **kwargs)


@plant(on=f"{HOOKS}#step.exception.validation", caught_by=("cell", "EarlyStopping.on_train_end"))
def training_ends_after_an_exception():
    """Callbacks are told that training has ended, as if it were through, where an exception has ended it."""
    import keras

    @around(keras.Model, "fit")
    def fit(inner, self, *args, callbacks, **kwargs):
        try:
            return inner(self, *args, callbacks=callbacks, **kwargs)
        except Exception:
            for callback in callbacks:
                callback.on_train_end()
            raise


@plant(on=f"{HOOKS}#process.interrupt", caught_by=CALLER)
def interrupt_ignored():
    """Ctrl-C ends the training, and its caller goes on as if it were through."""
    import keras

    @around(keras.Model, "fit")
    def fit(inner, self, *args, **kwargs):
        with suppress(KeyboardInterrupt):
            return inner(self, *args, **kwargs)


# Validation in a process beside the training


@plant(on=SIDECAR, caught_by=("same_as", "val_loss"))
def weights_handed_over_an_epoch_late():
    """The weights that are evaluated as an epoch's are those that there are when the next has ended."""
    from harness.parallel.keras import SidecarValidation

    hand_over = SidecarValidation.on_epoch_end
    ended = []

    @around(SidecarValidation, "on_epoch_end")
    def on_epoch_end(inner, self, epoch, logs=None):
        for earlier in ended[-1:]:
            inner(self, *earlier)
        ended.append((epoch, logs))

    @around(SidecarValidation, "on_train_end")
    def on_train_end(inner, self, logs=None):
        hand_over(self, *ended[-1])
        inner(self, logs)


@plant(on=SIDECAR, caught_by=("same_as", "val_loss"))
def figures_mixed_up():
    """Every epoch gets the figures of the one before, as if its result had come back for the next."""
    from harness.parallel.keras import SidecarValidation

    known = []

    @around(SidecarValidation, "_note")
    def note(inner, self, ticket):
        known.append(ticket.reply)
        ticket.reply = known[-2:][0]
        return inner(self, ticket)


@plant(on=ON_REPLICAS, caught_by=("ranks", "rank 1"))
def one_replica_in_place_of_two():
    """A strategy that finds no further device makes do with one, in silence."""
    import tensorflow as tf

    @around(tf.distribute.MirroredStrategy, "__init__")
    def init(inner, self, devices=None, **options):
        inner(self, devices[:1], **options)


@plant(on=ON_REPLICAS, caught_by=("aggregate", "val_loss"))
def share_of_a_loss_taken_for_the_loss():
    """What is a replica's share of a sum is added up as if it were a mean."""
    import keras

    @around(keras.src.losses.loss, "unscale_loss_for_distribution")
    def unscale(inner, value):
        return value
