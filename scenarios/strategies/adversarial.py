"""`self.log(on_epoch=True)` and metric objects where samples, precision or schedule make it hard."""

import torch
from torchmetrics import AUROC, Accuracy, F1Score
from torchmetrics import MetricCollection as Metrics

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import accuracy, auroc_macro, cross_entropy, f1_macro
from scenarios.models import Classifier


class Measured(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        metrics = Metrics(
            {
                "acc": Accuracy(task="multiclass", num_classes=classes),
                "f1": F1Score(task="multiclass", num_classes=classes, average="macro"),
                "auroc": AUROC(task="multiclass", num_classes=classes, average="macro"),
            },
            compute_groups=False,
        )
        self.train_metrics, self.val_metrics = metrics.clone(prefix="train_"), metrics.clone(prefix="val_")

    def training_step(self, batch, batch_idx):
        return self.measured_loss("train", self.train_metrics, *batch)

    def validation_step(self, batch, batch_idx):
        self.measured_loss("val", self.val_metrics, *batch)

    def measured_loss(self, prefix, metrics, x, y):
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        self.log(f"{prefix}_loss", loss, on_step=False, on_epoch=True)
        self.measure(metrics, y_hat.detach(), y)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Migrated(Measured):
    """Each batch's values are logged, and `self.log` reduces them to their mean."""

    def measure(self, metrics, y_hat, y):
        self.log_dict(metrics(y_hat, y), on_step=False, on_epoch=True)


class Recommended(Measured):
    """The metric objects are logged; each reduces its own state."""

    def measure(self, metrics, y_hat, y):
        metrics.update(y_hat, y)
        self.log_dict(metrics, on_step=False, on_epoch=True)


def figures(metrics_predict=None, losses_predict=weighted_by_batch_size):
    return [
        Aggregate(
            f"{prefix}_{name}", of=quantity, stage=stage,
            **({"predicts": predicts} if predicts else {}),
        )
        for prefix, stage in (("train", "train"), ("val", "validation"))
        for name, quantity, predicts in (
            ("loss", cross_entropy, losses_predict),
            ("acc", accuracy, metrics_predict),
            ("f1", f1_macro, metrics_predict),
            ("auroc", auroc_macro, metrics_predict),
        )
    ]  # fmt: skip


def declare(variant, module, aggregates, expects=()):
    scenario(
        pattern="strategies/adversarial", variant=variant,
        module=lambda data: module(data.features, data.classes), aggregates=aggregates, expects=expects,
        workloads=[
            f"adversarial/{name}"
            for name in (
                "nan*", "constant_target", "imbalanced", "*float*", "empty_validation", "accumulation", "*validation*",
                "limited*", "resumed",
            )
        ],
    )  # fmt: skip


declare(
    "migrated", Migrated, figures(metrics_predict=weighted_by_batch_size),
    # Only their batch values are used, so the objects are never reset.
    expects=[Expect("violated", checker="metric_state")],
)  # fmt: skip
declare("recommended", Recommended, figures())
