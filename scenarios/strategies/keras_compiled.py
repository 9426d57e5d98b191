"""Figures that `compile` was asked for, as `fit` reports them: the way that Keras's guides begin with.

Keras is imported where a model is made, here and in the files beside: who runs scenarios of another framework, or
lists them, need not wait for TensorFlow.
"""

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.strategies.figures import OF_ANY_SAMPLES

# The loss is a mean of batch means, weighted by batch size; accuracy is counted sample by sample.
FIGURES = [
    Aggregate("loss", of=cross_entropy, stage="train", predicts=weighted_by_batch_size),
    Aggregate("accuracy", of=accuracy, stage="train"),
    Aggregate("val_loss", of=cross_entropy, stage="validation", predicts=weighted_by_batch_size),
    Aggregate("val_accuracy", of=accuracy, stage="validation"),
]


def model(data, **options):
    import keras

    layers = [keras.Input((data.features,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(data.classes)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], **options)
    return model


def declare(pattern, expects=(), **options):
    scenario(
        pattern=f"strategies/{pattern}", variant="as_documented", framework="keras",
        workloads=OF_ANY_SAMPLES, aggregates=FIGURES, expects=expects,
        source="Keras guide: Training & evaluation with the built-in methods",
        module=lambda data: model(data, **options),
    )  # fmt: skip


declare("keras_compiled")
# Callbacks are then called after every fourth batch only, and the last execution may hold fewer. In a
# `MirroredStrategy` Keras 3.15 asks each replica whether there is a next batch, which TensorFlow refuses on a CPU.
declare("keras_steps_per_execution", steps_per_execution=4, expects=[Expect("raised", ranks="[!1]*")])
