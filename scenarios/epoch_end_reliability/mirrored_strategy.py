"""The document's callback in a `MirroredStrategy`, where two replicas share every batch (document 004, text)."""

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
    pattern="epoch_end_reliability/mirrored_strategy", variant="as_documented", source="document 004",
    framework="keras", module=model, callbacks=callbacks, workloads="short/diabetes", record=RECORD, ranks=2,
    faults=["none", "strategy.replica_raises", "process.interrupt"], aggregates=FIGURES,
)  # fmt: skip
