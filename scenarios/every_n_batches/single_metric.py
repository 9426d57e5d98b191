"""Batch accuracies added up, their mean logged every n batches (document 002, example 1).

The document's step returns None, which tells Lightning to skip backward: nothing is learnt.
"""

import torch
from torchmetrics import Accuracy

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import every_n_batches
from harness.oracle.quantities import accuracy
from scenarios.models import Classifier


class AsDocumented(Classifier):
    def __init__(self, features, classes, n_batches=10):
        super().__init__(features, classes)
        self.accuracy = self.new_metric(classes)
        self.n_batches = n_batches
        self.batch_count = 0
        self.total_accuracy = 0

    def new_metric(self, classes):
        return Accuracy()

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.total_accuracy += self.accuracy(self(x), y)
        self.batch_count += 1
        if self.batch_count == self.n_batches:
            self.log("train_accuracy", self.total_accuracy / self.n_batches, on_step=False, on_epoch=True)
            self.total_accuracy = 0
            self.batch_count = 0


class Migrated(AsDocumented):
    def new_metric(self, classes):
        return Accuracy(task="multiclass", num_classes=classes)


class Recommended(Classifier):
    """The metric object counts every sample; what is wanted every n batches is a sum that starts anew there."""

    def __init__(self, features, classes, n_batches=10):
        super().__init__(features, classes)
        self.accuracy = Accuracy(task="multiclass", num_classes=classes)
        self.n_batches = n_batches

    def on_train_epoch_start(self):
        self.start_window()

    def start_window(self):
        self.hits = torch.zeros((), dtype=torch.long, device=self.device)
        self.samples = 0

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.accuracy.update(y_hat, y)
        self.log("train_accuracy", self.accuracy, on_step=False, on_epoch=True)
        self.hits += (y_hat.argmax(dim=1) == y).sum()
        self.samples += len(y)
        if (batch_idx + 1) % self.n_batches == 0:
            self.log("train_accuracy_of_window", self.hits / self.samples, on_step=True, on_epoch=False)
            self.start_window()
        return self.loss_fn(y_hat, y)


def declare(variant, module, predicts, pattern="single_metric", n=10, expects=()):
    arithmetic = {"predicts": predicts, "across": "rank_zero"} if predicts else {}
    scenario(
        pattern=f"every_n_batches/{pattern}", variant=variant, source="document 002, example 1",
        module=lambda data: module(data.features, data.classes, n),
        aggregates=[Aggregate("train_accuracy", of=accuracy, stage="train", **arithmetic)],
        expects=expects,
    )  # fmt: skip


NOT_TRAINED = Expect("violated", checker="training")
NEVER_RESET = Expect("violated", checker="metric_state")
# Several ranks may not skip backward (`pytorch_lightning/loops/optimization/automatic.py`, `_training_step`).
NOT_ON_RANKS = Expect("raised", exception="RuntimeError", ranks="[!1]*", needs="pytorch_lightning>=2.3")
SKIPPED = [NOT_TRAINED, NEVER_RESET, NOT_ON_RANKS]

declare(
    "as_documented", AsDocumented, every_n_batches(10),
    expects=[Expect("raised", exception="TypeError")],
)  # fmt: skip
declare("migrated", Migrated, every_n_batches(10), expects=SKIPPED)
declare("recommended", Recommended, None)
# What the document's choice of n costs and saves.
for n in (1, 20, 50, 100):
    declare(
        "control", Migrated, every_n_batches(n), f"single_metric_n_{n}", n, [NOT_TRAINED, NEVER_RESET, NOT_ON_RANKS]
    )
