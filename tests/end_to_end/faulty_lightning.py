"""Lightning scenarios as users get them wrong, a fault each, and one that is fine.

`# here: NAME` marks the line that a finding about NAME must name: what raises there is torch or Lightning.
"""

from threading import Event

import torch
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from harness import Aggregate, quantities, scenario
from scenarios.models import Classifier


class Fine(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.val_metric = MulticlassAccuracy(classes, average="micro")

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.val_metric.update(self(x), y)

    def on_validation_epoch_end(self):
        self.log("val_acc", self.val_metric.compute())
        self.val_metric.reset()


class Raises(Fine):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.val_metric = RaisesInEpoch2(self)

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.log("val_acc", self.val_metric)

    def on_validation_epoch_end(self):
        pass


class RaisesInEpoch2(Metric):
    def __init__(self, module):
        super().__init__()
        self.epoch = lambda: module.current_epoch  # a reference would make the module a part of itself
        self.add_state("right", torch.tensor(0), "sum")

    def update(self, scores, targets):
        self.right += (scores.argmax(1) == targets).sum()

    def compute(self):
        if self.epoch() == 2:
            return torch.ones(2) @ torch.ones(3)  # here: Raises
        return self.right / 100


class LogsVector(Fine):
    def on_validation_epoch_end(self):
        if self.current_epoch == 1:
            self.log("val_acc", torch.ones(3))  # here: LogsVector
        super().on_validation_epoch_end()


class TellsLoggerVector(Fine):
    def on_validation_epoch_end(self):
        accuracy = self.val_metric.compute()
        if self.current_epoch == 1:
            accuracy = accuracy.repeat(3)
        self.trainer.logger.log_metrics({"val_acc": accuracy}, step=self.global_step - 1)
        self.val_metric.reset()


class LogsUndeclared(Fine):
    def on_validation_epoch_end(self):
        self.log("val_accuracy", self.val_metric.compute())
        self.val_metric.reset()


class MetricNeverEnds(Fine):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.val_metric = NeverEndsInEpoch1(self)

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.log("val_acc", self.val_metric)

    def on_validation_epoch_end(self):
        pass


class NeverEndsInEpoch1(RaisesInEpoch2):
    def compute(self):
        if self.epoch() == 1:
            Event().wait()  # here: MetricNeverEnds
        return super().compute()


class StepNeverEnds(Fine):
    def training_step(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (1, 3):
            Event().wait()  # here: StepNeverEnds
        return super().training_step(batch, batch_idx)


for module in (
    Raises, LogsVector, TellsLoggerVector, LogsUndeclared, MetricNeverEnds, StepNeverEnds, Fine,
):  # fmt: skip
    scenario(
        pattern=f"lightning/{module.__name__}", variant="recommended", workloads="digits/even",
        module=lambda data, module=module: module(data.features, data.classes),
        aggregates=[Aggregate("val_acc", of=quantities.accuracy, stage="validation")],
    )  # fmt: skip
