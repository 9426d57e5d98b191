"""`self.log` in a step with its defaults, and what one then reads for the epoch (document 001, example 1)."""

from torchmetrics import Accuracy

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import last_batch, mean_of_last_20_batches, weighted_by_batch_size
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.models import Classifier


class AsDocumented(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        # The document imports this at the top of the file; here it fails where a trial can report it.
        from pytorch_lightning.metrics import Accuracy

        self.accuracy = Accuracy()

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        self.log("train_loss", loss)
        self.log("train_acc", self.accuracy(y_hat, y), prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.log("val_loss", self.loss_fn(y_hat, y))
        self.log("val_acc", self.val_accuracy(y_hat, y))


class Migrated(AsDocumented):
    def __init__(self, features, classes):
        Classifier.__init__(self, features, classes)
        self.accuracy = Accuracy(task="multiclass", num_classes=classes)
        self.val_accuracy = Accuracy(task="multiclass", num_classes=classes)


class Recommended(Migrated):
    """Says that the epoch's figure is wanted, and logs the metric object in place of its batch value."""

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        self.accuracy(y_hat, y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_acc", self.accuracy, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.val_accuracy(y_hat, y)
        self.log("val_loss", self.loss_fn(y_hat, y), on_step=False, on_epoch=True)
        self.log("val_acc", self.val_accuracy, on_step=False, on_epoch=True)


def declare(variant, module, aggregates, **more):
    scenario(
        pattern="epoch_averaging/per_batch_logging", variant=variant, source="document 001, example 1",
        module=lambda data: module(data.features, data.classes), aggregates=aggregates, **more,
    )  # fmt: skip


# Of several ranks, each knows of its own batches.
LOGGED = {"predicts": weighted_by_batch_size, "across": "rank_zero"}
# What a callback or a progress bar finds at the end of the epoch under the name that the step logged.
READ_AT_THE_END = [
    Aggregate(name, of=quantity, stage="train", predicts=last_batch, reported_in=place, across="rank_zero")
    for name, quantity, place in (
        ("train_loss", cross_entropy, "callback_metrics"),
        ("train_acc", accuracy, "callback_metrics"),
        ("train_acc", accuracy, "progress_bar"),
    )
]
declare(
    "as_documented", AsDocumented, READ_AT_THE_END,
    expects=[Expect("raised", exception="ModuleNotFoundError")],
)  # fmt: skip
declare(
    "migrated", Migrated,
    [
        *READ_AT_THE_END,
        Aggregate(
            "loss", of=cross_entropy, stage="train", predicts=mean_of_last_20_batches, reported_in="progress_bar",
            digits=3, across="rank_zero",
        ),
        Aggregate("val_loss", of=cross_entropy, stage="validation", **LOGGED),
        Aggregate("val_acc", of=accuracy, stage="validation", **LOGGED),
    ],
    expects=[
        Expect("missing", aggregate="loss (progress_bar)", needs="pytorch_lightning>=2.0"),
        # Only its batch values are used, so the object is never reset.
        Expect("violated", checker="metric_state"),
    ],
)  # fmt: skip
declare(
    "recommended", Recommended,
    [
        # What EarlyStopping and ModelCheckpoint read.
        Aggregate("train_loss", of=cross_entropy, stage="train", reported_in="callback_metrics", across="rank_zero"),
        Aggregate("val_loss", of=cross_entropy, stage="validation", reported_in="callback_metrics", across="rank_zero"),
        Aggregate("train_loss", of=cross_entropy, stage="train", **LOGGED),
        Aggregate("train_acc", of=accuracy, stage="train"),
        Aggregate("val_loss", of=cross_entropy, stage="validation", **LOGGED),
        Aggregate("val_acc", of=accuracy, stage="validation"),
    ],
)  # fmt: skip
