"""What costs in Keras are measured against: a model compiled with its loss, which `fit` always tracks, and no more."""

from harness import Aggregate, scenario
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import cross_entropy


def model(data):
    import keras

    layers = [keras.Input((data.features,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(data.classes)]
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


scenario(
    pattern="strategies/keras_bare_loop", variant="control", framework="keras", module=model,
    aggregates=[
        Aggregate("loss", of=cross_entropy, stage="train", predicts=weighted_by_batch_size),
        Aggregate("val_loss", of=cross_entropy, stage="validation", predicts=weighted_by_batch_size),
    ],
)  # fmt: skip
