"""Accuracy and mean absolute error, added up and logged every n batches (document 002, example 2).

The document takes the absolute error of whatever the model returns; for a classifier that is a table of
scores, so here it is the error of the class number.
"""

from torchmetrics import Accuracy, MeanAbsoluteError

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import every_n_batches
from harness.oracle.quantities import accuracy, class_distance
from scenarios.models import Classifier

N = 20


class AsDocumented(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.accuracy = self.new_accuracy(classes)
        self.mae = MeanAbsoluteError()
        self.clear()

    def new_accuracy(self, classes):
        return Accuracy()

    def clear(self):
        self.total_accuracy, self.total_mae, self.batch_count = 0, 0, 0

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.total_accuracy += self.accuracy(y_hat, y)
        self.total_mae += self.mae(y_hat.argmax(dim=1), y)
        self.batch_count += 1
        if self.batch_count == N:
            self.log("train_accuracy", self.total_accuracy / N, on_step=False, on_epoch=True)
            self.log("train_mae", self.total_mae / N, on_step=False, on_epoch=True)
            self.clear()
        return {"loss": self.loss_fn(y_hat, y)}


class Migrated(AsDocumented):
    def new_accuracy(self, classes):
        return Accuracy(task="multiclass", num_classes=classes)


class Recommended(Migrated):
    """`update` adds to the state without computing anything; that is done once, when the epoch ends."""

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.accuracy.update(y_hat, y)
        self.mae.update(y_hat.argmax(dim=1), y)
        return self.loss_fn(y_hat, y)

    def on_train_epoch_end(self):
        self.log("train_accuracy", self.accuracy)
        self.log("train_mae", self.mae)


def declare(variant, module, expects=()):
    arithmetic = {} if variant == "recommended" else {"predicts": every_n_batches(N), "across": "rank_zero"}
    scenario(
        pattern="every_n_batches/multiple_metrics", variant=variant, source="document 002, example 2",
        module=lambda data: module(data.features, data.classes),
        aggregates=[
            Aggregate("train_accuracy", of=accuracy, stage="train", **arithmetic),
            Aggregate("train_mae", of=class_distance, stage="train", **arithmetic),
        ],
        expects=expects,
    )  # fmt: skip


declare("as_documented", AsDocumented, expects=[Expect("raised", exception="TypeError")])
declare("migrated", Migrated, expects=[Expect("violated", checker="metric_state")])
declare("recommended", Recommended)
