"""A Keras model whose layers compute in bfloat16."""

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import accuracy, cross_entropy


def model(data):
    import keras

    model = keras.Sequential([keras.Input((data.features,)), keras.layers.Dense(data.classes, dtype="mixed_bfloat16")])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


scenario(
    pattern="half/keras", variant="control", framework="keras", module=model, workloads="digits/ragged",
    aggregates=[
        Aggregate("val_loss", of=cross_entropy, stage="validation", predicts=weighted_by_batch_size),
        Aggregate("val_accuracy", of=accuracy, stage="validation"),
    ],
    expects=[Expect("violated", checker="precision")],
)  # fmt: skip
