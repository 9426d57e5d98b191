"""A line in a file for every epoch, written by a callback (document 004, example 1).

Beside it stand early stopping and checkpoints, which may be relied on in the same way.
"""

from harness import scenario
from scenarios.epoch_end_reliability.keras_models import (
    EMPTY_EPOCHS,
    FIGURES,
    LABELS,
    LOG,
    RELIABLE,
    WRITTEN_TOO_EARLY,
    epoch_log,
    model,
)


def callbacks():
    import keras

    return [
        epoch_log(),
        keras.callbacks.EarlyStopping("val_loss", patience=1000),
        keras.callbacks.ModelCheckpoint("checkpoints/{epoch}.keras"),
    ]


def declare(variant, faults, **more):
    scenario(
        pattern="epoch_end_reliability/basic_callback", variant=variant, source="document 004, example 1",
        framework="keras", module=model, workloads="short/diabetes", faults=faults, aggregates=FIGURES, **more,
    )  # fmt: skip


declare(
    "as_documented", "*", callbacks=callbacks, record=LOG, expects=[*WRITTEN_TOO_EARLY, *EMPTY_EPOCHS, *LABELS],
)  # fmt: skip
declare("recommended", ["none", "step.exception*", "callback.raises_*", "process.*"], **RELIABLE)
