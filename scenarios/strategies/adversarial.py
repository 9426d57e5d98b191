"""`self.log(on_epoch=True)` of values and of metric objects, in half precision and when training meets NaN."""

import torch
from torchmetrics import AUROC, Accuracy, F1Score
from torchmetrics import MetricCollection as Metrics

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import over_the_epoch, weighted_by_batch_size
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
        return self.report("train_loss", self.train_metrics, *batch)

    def validation_step(self, batch, batch_idx):
        self.report("val_loss", self.val_metrics, *batch)

    def report(self, name, metrics, x, y):
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        self.log(name, loss, on_step=False, on_epoch=True)
        self.log_dict(self.measured(metrics, y_hat.detach(), y), on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        # Adam's epsilon is 0 in float16.
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Values(Measured):
    """Each batch's values are logged, and `self.log` reduces them to their mean."""

    def measured(self, metrics, y_hat, y):
        return metrics(y_hat, y)


class Objects(Measured):
    """The metric objects are logged; each reduces its own state."""

    def measured(self, metrics, y_hat, y):
        metrics.update(y_hat, y)
        return metrics


def declare(pattern, variant, module, workload, of_metrics, expects=()):
    scenario(
        pattern=f"strategies/{pattern}", variant=variant, workloads=workload, expects=expects,
        module=lambda data: module(data.features, data.classes),
        aggregates=[
            Aggregate(f"{prefix}_{name}", quantity, stage, predicts, across="rank_zero" if is_value else "samples")
            for prefix, stage in (("train", "train"), ("val", "validation"))
            for name, quantity, predicts, is_value in (
                ("loss", cross_entropy, weighted_by_batch_size, True), ("acc", accuracy, of_metrics, module is Values),
                ("f1", f1_macro, of_metrics, module is Values), ("auroc", auroc_macro, of_metrics, module is Values),
            )
        ],
    )  # fmt: skip


# Of the objects only batch values are used, so they are never reset.
NEVER_RESET = Expect("violated", checker="metric_state")
SPOILT = [
    # One NaN makes all weights NaN, and they stay so.
    Expect("violated", checker="training"),
    # See RANKED_THOUGH_NAN in `figures.py`.
    Expect("wrong", checker="aggregate", aggregate="*_auroc"),
]

declare("half_precision", "migrated", Values, "adversarial/*float16", weighted_by_batch_size, [NEVER_RESET])
declare("half_precision", "recommended", Objects, "adversarial/*float16", over_the_epoch)
declare(
    "nan_in_training_values", "migrated", Values, "adversarial/nan_in_training", weighted_by_batch_size,
    [*SPOILT, NEVER_RESET],
)  # fmt: skip
declare("nan_in_training_objects", "migrated", Objects, "adversarial/nan_in_training", over_the_epoch, SPOILT)
