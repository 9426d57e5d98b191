"""What the Keras files of this document share: a network, its figures, and the training that all are held to."""

from harness import Aggregate
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import mean_squared_error

# Keras reports the mean of batch means, each weighted by the size of its batch.
FIGURES = [
    Aggregate("loss", of=mean_squared_error, stage="train", predicts=weighted_by_batch_size),
    Aggregate("val_loss", of=mean_squared_error, stage="validation", predicts=weighted_by_batch_size),
]
WORKLOAD = "short/diabetes"
REFERENCE = "parallel_validation/keras_sequential/recommended"


def model(data):
    """With weights that are not trained (batch norm), and a layer that draws random numbers."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((data.features,)),
            keras.layers.Dense(16, activation="tanh"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.25),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    return model
