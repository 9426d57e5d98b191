"""`self.log(on_epoch=True)` of losses and metrics, where samples, precision or schedule make it hard."""

import torch
from torchmetrics import AUROC, Accuracy, F1Score
from torchmetrics import MetricCollection as Metrics

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import over_the_epoch, since_resuming, weighted_by_batch_size
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


class Migrated(Measured):
    """Each batch's values are logged, and `self.log` reduces them to their mean."""

    def measured(self, metrics, y_hat, y):
        return metrics(y_hat, y)


class Recommended(Measured):
    """The metric objects are logged; each reduces its own state."""

    def measured(self, metrics, y_hat, y):
        metrics.update(y_hat, y)
        return metrics


def declare(pattern, variant, workloads, expects=(), remembers=lambda prediction: prediction):
    module = {"migrated": Migrated, "recommended": Recommended}[variant]
    of_metrics = weighted_by_batch_size if variant == "migrated" else over_the_epoch
    # Of a migrated module only batch values are used, so the objects are never reset.
    never_reset = [Expect("violated", checker="metric_state")] if variant == "migrated" else []
    scenario(
        pattern=f"strategies/{pattern}", variant=variant,
        module=lambda data: module(data.features, data.classes),
        workloads=[f"adversarial/{name}" for name in workloads], expects=[*expects, *never_reset],
        aggregates=[
            Aggregate(f"{prefix}_{name}", of=quantity, stage=stage, predicts=remembers(predicts))
            for prefix, stage in (("train", "train"), ("val", "validation"))
            for name, quantity, predicts in (
                ("loss", cross_entropy, weighted_by_batch_size), ("acc", accuracy, of_metrics),
                ("f1", f1_macro, of_metrics), ("auroc", auroc_macro, of_metrics),
            )
        ],
    )  # fmt: skip


# torchmetrics sorts scores that are NaN among the others, and so has an area where there is none
# (`functional/classification/precision_recall_curve.py`, `_binary_clf_curve`).
RANKED_THOUGH_NAN = Expect("wrong", checker="aggregate", aggregate="val_auroc")
# One NaN makes all weights NaN, and they stay so.
ALL_NAN = Expect("violated", checker="training")
RANKED_FROM_TRAINING_ON = Expect("wrong", checker="aggregate", aggregate="*_auroc")
RESUMED = [
    # The loader starts again from its first batch, and stops when as many are done as an epoch has
    # (`loops/training_epoch_loop.py`, `on_run_start`): the last ones are never seen.
    Expect("violated", checker="samples", aggregate="train"),
    # A checkpoint that is saved when a batch ends does not count it as done yet. From 2.5.0 on `fit` notices
    # (`restarted_on_train_batch_end`); before, it does that batch's place again, tells loggers one step too few
    # and begins the epoch a second time (`loops/fit_loop.py`, `on_advance_start`).
    Expect("violated", checker="report_step", needs="pytorch_lightning<2.5"),
    Expect(
        "violated", checker="hook", aggregate="Callback.on_train_epoch_start (train)", needs="pytorch_lightning<2.5"
    ),
]

for variant in ("migrated", "recommended"):
    declare("adversarial_samples", variant, ["constant_target", "imbalanced", "*float*"])
    declare("adversarial_nan", variant, ["nan"], [RANKED_THOUGH_NAN])
    declare("adversarial_nan_in_training", variant, ["nan_in_training"], [RANKED_FROM_TRAINING_ON, ALL_NAN])
    declare("adversarial_schedule", variant, ["accumulation", "*validation*", "limited*"])
    # Neither what `self.log` has summed up nor what a metric object has counted is in a checkpoint.
    declare("adversarial_resumed", variant, ["resumed"], RESUMED, remembers=since_resuming)
