"""Bugs that a release of Keras could bring; each is planted inside a trial and must be caught.

Keras is imported where a bug is planted, in the trial: the tests only list what is here.
"""

from changes import Change, around

COMPILED = "strategies/keras_compiled/as_documented@digits/ragged"
FOUR_AT_ONCE = "strategies/keras_steps_per_execution/as_documented@digits/ragged"
WEIGHTED_BY_HAND = "strategies/keras_custom_step/recommended@digits/ragged"

PLANTS = []


def plant(on, caught_by):
    def add(function):
        PLANTS.append(Change(function, on, caught_by))
        return function

    return add


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
