"""A line in a file for every epoch, written by a callback, in Lightning (document 004, example 1, in its terms).

Beside it stands whatever else may be relied on when an epoch or a training ends: the module's own hooks, early stopping
and checkpoints.
"""

from harness import Aggregate, Expect, scenario
from harness.frameworks.lightning_package import pl
from harness.oracle.quantities import mean_squared_error
from harness.scenario import Record
from scenarios.models import Regressor


class EpochLog(pl.Callback):
    def __init__(self, file):
        self.file = file

    def write(self, line):
        with open(self.file, "a") as file:
            file.write(f"{line}\n")

    def on_train_epoch_end(self, trainer, pl_module):
        self.write(f"epoch {trainer.current_epoch}: {trainer.callback_metrics.get('train_loss')}")

    def on_validation_epoch_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            self.write(f"validated: {trainer.callback_metrics.get('val_loss')}")

    def on_exception(self, trainer, pl_module, exception):
        self.write(f"failed: {exception!r}")

    def on_train_end(self, trainer, pl_module):
        self.write("training ended")

    def on_fit_end(self, trainer, pl_module):
        self.write("fit ended")

    def teardown(self, trainer, pl_module, stage):
        self.write("torn down")


class Module(Regressor):
    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y))

    def on_validation_epoch_end(self):
        self.validated = True

    def on_train_epoch_end(self):
        self.trained = True

    def on_train_end(self):
        self.ended = True

    def on_fit_end(self):
        self.fitted = True

    def teardown(self, stage):
        self.torn_down = True


def callbacks():
    return [
        EpochLog("epochs.log"),
        pl.callbacks.EarlyStopping("val_loss", patience=1000),
        pl.callbacks.ModelCheckpoint("checkpoints", save_top_k=-1, save_on_train_epoch_end=True),
    ]


def epoch_of(line):
    return int(line.split()[1].rstrip(":")) if line.startswith("epoch ") else None


FIGURES = [
    Aggregate(name, of=mean_squared_error, stage=stage, reported_in=place)
    for name, stage in (("train_loss", "train"), ("val_loss", "validation"))
    for place in ("logger", "callback_metrics")
]
# The line is written when the hook runs, whatever the epoch has seen.
WRITTEN_TOO_EARLY = [
    Expect("violated", "*premature", checker="record", fault=fault)
    for fault in (
        "loader.runs_dry*", "loader.length_too_long", "loader.length_too_short*", "loader.empty_epoch*",
        "process.stop_requested", "process.max_time",
    )
]  # fmt: skip
EMPTY_EPOCHS = [
    Expect("violated", "*on_train_epoch_end", checker="epoch_end", fault="loader.empty_epoch"),
    Expect("violated", "*on_validation_epoch_end", checker="epoch_end", fault="loader.empty_epoch.validation"),
    # Callbacks see what is left of the epoch before.
    Expect("wrong", "train_loss (callback_metrics)", "aggregate", fault="loader.empty_epoch"),
    Expect("wrong", "val_loss (callback_metrics)", "aggregate", fault="loader.empty_epoch.validation"),
]
# A loss takes labels of shape (n,) with outputs of shape (n, 1), and is over all n x n pairs.
LABELS = [
    Expect("wrong", "train_loss*", "aggregate", fault="step.labels_broadcast"),
    Expect("wrong", "train_loss*", "aggregate", fault="step.labels_broadcast.every_batch"),
    Expect("wrong", "val_loss*", "aggregate", fault="step.labels_broadcast.validation"),
]

scenario(
    pattern="epoch_end_reliability/lightning_hooks", variant="as_documented", source="document 004, in Lightning",
    module=lambda data: Module(data.features),
    callbacks=callbacks, trainer={"enable_checkpointing": True},
    workloads="short/diabetes", faults="*", record=Record("epochs.log", epoch_of),
    expects=[*WRITTEN_TOO_EARLY, *EMPTY_EPOCHS, *LABELS],
    aggregates=FIGURES,
)  # fmt: skip
