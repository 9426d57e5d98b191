"""Accuracy kept in a torchmetrics object, computed and reset when the epoch ends (document 000, example 1)."""

from torchmetrics import Accuracy

from harness import Aggregate, EpochHook, Expect, scenario
from harness.oracle.predictions import all_epochs_so_far
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.models import Classifier


class Steps(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.train_accuracy = Accuracy(task="multiclass", num_classes=classes)
        self.val_accuracy = Accuracy(task="multiclass", num_classes=classes)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        loss = self.loss_fn(logits, y)
        self.train_accuracy(logits, y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        loss = self.loss_fn(logits, y)
        self.val_accuracy(logits, y)
        self.log("val_loss", loss)
        return loss


class AsDocumented(Steps):
    def epoch_end(self, outputs):
        self.log("train_epoch_accuracy", self.train_accuracy.compute())
        self.train_accuracy.reset()

    def validation_epoch_end(self, outputs):
        self.log("val_epoch_accuracy", self.val_accuracy.compute())
        self.val_accuracy.reset()


class Migrated(Steps):
    def on_train_epoch_end(self):
        self.log("train_epoch_accuracy", self.train_accuracy.compute())
        self.train_accuracy.reset()

    def on_validation_epoch_end(self):
        self.log("val_epoch_accuracy", self.val_accuracy.compute())
        self.val_accuracy.reset()


class WithoutReset(Steps):
    def on_train_epoch_end(self):
        self.log("train_epoch_accuracy", self.train_accuracy.compute())


class Recommended(Steps):
    """The metric object itself is logged: Lightning computes it once an epoch, and resets it."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("train_epoch_accuracy", self.train_accuracy, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.log("val_epoch_accuracy", self.val_accuracy, on_step=False, on_epoch=True)


def declare(variant, module, aggregates, **more):
    scenario(
        pattern="epoch_end_hooks/basic_metric", variant=variant, source="document 000, example 1",
        module=lambda data: module(data.features, data.classes), aggregates=aggregates, **more,
    )  # fmt: skip


TRAIN = Aggregate("train_epoch_accuracy", of=accuracy, stage="train")
VALIDATION = Aggregate("val_epoch_accuracy", of=accuracy, stage="validation")
VALIDATION_LOSS = Aggregate("val_loss", of=cross_entropy, stage="validation", across="rank_zero")

declare(
    "as_documented", AsDocumented, [TRAIN, VALIDATION],
    hooks=[
        EpochHook("epoch_end", "train"), EpochHook("epoch_end", "validation"),
        EpochHook("validation_epoch_end", "validation"),
    ],
    expects=[
        Expect("raised", exception="NotImplementedError", needs="pytorch_lightning>=2.0"),
        Expect("missing", aggregate="train_epoch_accuracy", checker="aggregate"),
        Expect("violated", aggregate="epoch_end (*)", checker="hook"),
        Expect("violated", aggregate="train_accuracy (train)", checker="metric_state"),
    ],
)  # fmt: skip
declare("migrated", Migrated, [TRAIN, VALIDATION, VALIDATION_LOSS])
declare("recommended", Recommended, [TRAIN, VALIDATION])
declare(
    "control", WithoutReset, [Aggregate(TRAIN.name, of=accuracy, stage="train", predicts=all_epochs_so_far)],
    expects=[Expect("violated", checker="metric_state")],
)  # fmt: skip
