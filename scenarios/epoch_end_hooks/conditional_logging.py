"""Accuracy that is reported from the third epoch on only, and reset after every epoch (document 000, example 3)."""

from torchmetrics import Accuracy

from harness import Aggregate, EpochHook, Expect, scenario
from harness.oracle.quantities import accuracy
from scenarios.models import Classifier

LOG_AFTER_EPOCH = 2


class Steps(Classifier):
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
        if self.current_epoch >= LOG_AFTER_EPOCH:
            self.log("train_epoch_accuracy_cond", self.train_accuracy.compute())
        self.train_accuracy.reset()

    def validation_epoch_end(self, outputs):
        if self.current_epoch >= LOG_AFTER_EPOCH:
            self.log("val_epoch_accuracy_cond", self.val_accuracy.compute())
        self.val_accuracy.reset()


class Migrated(Steps):
    def on_train_epoch_end(self):
        if self.current_epoch >= LOG_AFTER_EPOCH:
            self.log("train_epoch_accuracy_cond", self.train_accuracy.compute())
        self.train_accuracy.reset()

    def on_validation_epoch_end(self):
        if self.current_epoch >= LOG_AFTER_EPOCH:
            self.log("val_epoch_accuracy_cond", self.val_accuracy.compute())
        self.val_accuracy.reset()


class Recommended(Steps):
    """Reset when an epoch starts: what Lightning does not log it does not reset, and a sanity check or an
    epoch cut short leaves nothing behind."""

    def on_train_epoch_start(self):
        self.train_accuracy.reset()

    def on_validation_epoch_start(self):
        self.val_accuracy.reset()

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if self.current_epoch >= LOG_AFTER_EPOCH:
            self.log("train_epoch_accuracy_cond", self.train_accuracy, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        if self.current_epoch >= LOG_AFTER_EPOCH:
            self.log("val_epoch_accuracy_cond", self.val_accuracy, on_step=False, on_epoch=True)


def declare(variant, module, **more):
    scenario(
        pattern="epoch_end_hooks/conditional_logging", variant=variant, source="document 000, example 3",
        module=lambda data: module(data.features, data.classes),
        aggregates=[
            Aggregate("train_epoch_accuracy_cond", of=accuracy, stage="train", from_epoch=LOG_AFTER_EPOCH),
            Aggregate("val_epoch_accuracy_cond", of=accuracy, stage="validation", from_epoch=LOG_AFTER_EPOCH),
        ],
        **more,
    )  # fmt: skip


declare(
    "as_documented", AsDocumented,
    hooks=[EpochHook("epoch_end", "train"), EpochHook("validation_epoch_end", "validation")],
    expects=[
        Expect("raised", exception="NotImplementedError", needs="pytorch_lightning>=2.0"),
        Expect("missing", aggregate="train_epoch_accuracy_cond", checker="aggregate"),
        Expect("violated", aggregate="epoch_end (*)", checker="hook"),
        Expect("violated", aggregate="train_accuracy (train)", checker="metric_state"),
    ],
)  # fmt: skip
declare("migrated", Migrated)
declare("recommended", Recommended)
