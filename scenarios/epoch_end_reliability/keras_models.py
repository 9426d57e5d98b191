"""What the Keras files of this document share: the network of its examples, its callback, and the figures."""

from harness import Aggregate
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import mean_squared_error
from harness.scenario import Record

LOG = "training_log.txt"
# Keras reports the mean of batch means, each weighted by the size of its batch.
FIGURES = [
    Aggregate("loss", of=mean_squared_error, stage="train", predicts=weighted_by_batch_size),
    Aggregate("val_loss", of=mean_squared_error, stage="validation", predicts=weighted_by_batch_size),
]


def model(data):
    import keras

    model = keras.Sequential([keras.Input((data.features,)), keras.layers.Dense(10), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    return model


def callbacks():
    """The document's own, which it uses in all of its examples."""
    import keras

    class MyCallback(keras.callbacks.Callback):
        def __init__(self, log_file):
            super().__init__()
            self.log_file = log_file

        def on_epoch_end(self, epoch, logs=None):
            with open(self.log_file, "a") as f:
                f.write(f"Epoch {epoch + 1} end, loss: {logs['loss'] if logs else 'N/A'}\n")

    return [MyCallback(LOG)]


def epoch_of(line):
    """Of a line of the log; the document counts epochs from 1."""
    return int(line.split()[1]) - 1


RECORD = Record(LOG, epoch_of)
