"""A line in a file for every epoch, written by a callback (document 004, example 1).

Beside it stand early stopping and checkpoints, which may be relied on in the same way.
"""

from harness import scenario
from scenarios.epoch_end_reliability import keras_models
from scenarios.epoch_end_reliability.keras_models import FIGURES, RECORD, model


def callbacks():
    import keras

    return [
        *keras_models.callbacks(),
        keras.callbacks.EarlyStopping("val_loss", patience=1000),
        keras.callbacks.ModelCheckpoint("checkpoints/{epoch}.keras"),
    ]


scenario(
    pattern="epoch_end_reliability/basic_callback", variant="as_documented", source="document 004, example 1",
    framework="keras", module=model, callbacks=callbacks, workloads="short/diabetes", faults="*", record=RECORD,
    aggregates=FIGURES,
)  # fmt: skip
