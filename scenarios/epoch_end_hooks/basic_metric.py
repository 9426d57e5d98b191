"""Accuracy kept in a torchmetrics object, computed and reset when the epoch ends (document 000, example 1)."""

from torchmetrics import Accuracy

from harness import Aggregate, EpochHook, Expect, scenario
from harness.oracle.predictions import all_epochs_so_far
from harness.oracle.quantities import accuracy
from scenarios.models import Classifier


class Steps(Classifier):
    """The steps, which all variants share."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.train_accuracy = Accuracy(task="multiclass", num_classes=classes)
        self.val_accuracy = Accuracy(task="multiclass", num_classes=classes)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.train_accuracy(logits, y)
        return self.loss_fn(logits, y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.val_accuracy(self(x), y)


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
    """The metric object itself is logged; Lightning computes it once and resets it."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("train_epoch_accuracy", self.train_accuracy, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.log("val_epoch_accuracy", self.val_accuracy, on_step=False, on_epoch=True)


def build(module):
    return lambda data: module(data.features, data.classes)


TRAIN = Aggregate("train_epoch_accuracy", of=accuracy, stage="train")
VALIDATION = Aggregate("val_epoch_accuracy", of=accuracy, stage="validation")
REMOVED = Expect("raised", needs="pytorch_lightning>=2.0", exception="NotImplementedError")
PATTERN = "epoch_end_hooks/basic_metric"
SOURCE = "document 000, example 1"

scenario(pattern=PATTERN, variant="migrated", source=SOURCE, module=build(Migrated), aggregates=[TRAIN, VALIDATION])
