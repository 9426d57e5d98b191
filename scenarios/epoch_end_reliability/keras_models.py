"""What the Keras files of this document share: the network of its examples, callbacks, figures, expectations."""

import json

from harness import Aggregate, Expect
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import mean_squared_error
from harness.scenario import Record

# Keras reports the mean of batch means, each weighted by the size of its batch.
FIGURES = [
    Aggregate("loss", of=mean_squared_error, stage="train", predicts=weighted_by_batch_size),
    Aggregate("val_loss", of=mean_squared_error, stage="validation", predicts=weighted_by_batch_size),
]


def model(data, loss="mse"):
    import keras

    hidden = keras.layers.Dense(16, activation="tanh")
    model = keras.Sequential([keras.Input((data.features,)), hidden, keras.layers.Dense(1)])
    model.compile("adam", loss)
    return model


def epoch_log():
    """A line for every epoch, counted from 1, with its loss."""
    import keras

    class EpochLog(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with open("epochs.log", "a") as file:
                print(epoch + 1, (logs or {}).get("loss"), file=file, flush=True)

    return EpochLog()


LOG = Record("epochs.log", lambda line: int(line.split()[0]) - 1)


def reliable():
    """The callbacks of the `recommended` variants."""
    import keras

    from harness.records.keras import EpochRecords

    return [keras.callbacks.EarlyStopping("val_loss", patience=1000), EpochRecords("epochs.jsonl", "last.npz")]


RELIABLE = {
    "callbacks": reliable,
    "resume_from": "last.npz",
    "record": Record("epochs.jsonl", lambda line: json.loads(line)["epoch"]),
}

# What a loader says of its length is all there is to go by; data to validate on that has none ends where it ends.
LENGTHS = [
    Expect("violated", "*premature", checker="record", fault=fault)
    for fault in ("loader.length_too_short*", "loader.runs_dry.validation", "loader.empty_epoch.validation")
]
# The line is written when the hook runs, whatever the epoch has seen.
WRITTEN_TOO_EARLY = [
    *LENGTHS,
    *(
        Expect("violated", "*premature", checker="record", fault=fault)
        for fault in ("loader.runs_dry", "loader.empty_epoch", "loader.never_ends", "process.stop_requested")
    ),
]
EMPTY_EPOCHS = [
    Expect("violated", "*.on_epoch_end", checker="epoch_end", fault="loader.empty_epoch"),
    Expect("wrong", "loss", "aggregate", fault="loader.empty_epoch"),  # it is 0
]
# Of outputs (n, 1) and labels (n, 2) the loss makes the mean over both columns.
LABELS = [
    Expect("wrong", "loss", "aggregate", fault="step.labels_broadcast"),
    Expect("wrong", "loss", "aggregate", fault="step.labels_broadcast.every_batch"),
    Expect("wrong", "val_loss", "aggregate", fault="step.labels_broadcast.validation"),
]
