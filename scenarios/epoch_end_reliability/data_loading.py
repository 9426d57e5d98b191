"""Batches that change their shape, raise, or end too early or never (document 004, example 3)."""

from harness import scenario
from scenarios.epoch_end_reliability.keras_models import FIGURES, LOG, RECORD, model


def callbacks():
    import keras

    class MyCallback(keras.callbacks.Callback):
        def __init__(self, log_file):
            super().__init__()
            self.log_file = log_file

        def on_epoch_end(self, epoch, logs=None):
            with open(self.log_file, "a") as f:
                f.write(f"Epoch {epoch + 1} end, loss: {logs['loss'] if logs else 'N/A'}\n")

    return [MyCallback(LOG)]


scenario(
    pattern="epoch_end_reliability/data_loading", variant="as_documented", source="document 004, example 3",
    framework="keras", module=model, callbacks=callbacks, workloads="short/diabetes", record=RECORD,
    faults=["none", "loader.*"], aggregates=FIGURES,
)  # fmt: skip
