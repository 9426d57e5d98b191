"""Labels of a shape that the model's outputs do not have, and a callback that flushes (document 004, example 2)."""

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
                f.flush()

    return [MyCallback(LOG)]


scenario(
    pattern="epoch_end_reliability/error_handling", variant="as_documented", source="document 004, example 2",
    framework="keras", module=model, callbacks=callbacks, workloads="short/diabetes", record=RECORD,
    faults=["none", "step.labels_*", "step.exception"], aggregates=FIGURES,
)  # fmt: skip
