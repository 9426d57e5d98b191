"""Lightning scenarios as users get them wrong, a fault each, and one that is fine.

`# here: NAME` marks the line that a finding about NAME must name: what raises there is torch or Lightning.
"""

from threading import Event

import torch
from torchmetrics import Metric

from harness import Aggregate, quantities, scenario
from scenarios.models import Classifier


class Accuracy(Metric):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch
        self.add_state("right", torch.tensor(0), "sum")
        self.add_state("seen", torch.tensor(0), "sum")

    def update(self, scores, targets):
        self.right += (scores.argmax(1) == targets).sum()
        self.seen += len(targets)

    def compute(self):
        return self.right / self.seen


class Fine(Classifier):
    metric = Accuracy

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.val_metric = self.metric(lambda: self.current_epoch)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.val_metric.update(self(x), y)
        self.log("val_acc", self.val_metric)


class Raises(Fine):
    class metric(Accuracy):  # noqa: N801  # stands for the one above
        def compute(self):
            if self.epoch() == 2:
                return torch.ones(2) @ torch.ones(3)  # here: Raises
            return super().compute()


class GivesVector(Fine):
    class metric(Accuracy):  # noqa: N801
        def compute(self):
            return super().compute().repeat(3 if self.epoch() == 1 else 1)


class MetricNeverEnds(Fine):
    class metric(Accuracy):  # noqa: N801
        def compute(self):
            if self.epoch() == 1:
                Event().wait()  # here: MetricNeverEnds
            return super().compute()


class StepNeverEnds(Fine):
    def training_step(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (1, 3):
            Event().wait()  # here: StepNeverEnds
        return super().training_step(batch, batch_idx)


class ComputesItself(Fine):
    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.val_metric.update(self(x), y)

    def on_validation_epoch_end(self):
        self.tell(self.val_metric.compute())
        self.val_metric.reset()


class LogsVector(ComputesItself):
    def tell(self, accuracy):
        self.log("val_acc", accuracy.repeat(3 if self.current_epoch == 1 else 1))  # here: LogsVector


class TellsLoggerVector(ComputesItself):
    def tell(self, accuracy):
        figures = {"val_acc": accuracy.repeat(3) if self.current_epoch == 1 else accuracy}
        self.trainer.logger.log_metrics(figures, step=self.global_step - 1)


class LogsUndeclared(ComputesItself):
    def tell(self, accuracy):
        self.log_dict({"val_accuracy": accuracy})


for module in (
    Raises, GivesVector, MetricNeverEnds, StepNeverEnds, LogsVector, TellsLoggerVector, LogsUndeclared, Fine,
):  # fmt: skip
    scenario(
        pattern=f"lightning/{module.__name__}", variant="recommended", workloads="digits/even",
        module=lambda data, module=module: module(data.features, data.classes),
        aggregates=[Aggregate("val_acc", of=quantities.accuracy, stage="validation")],
    )  # fmt: skip
