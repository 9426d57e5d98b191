"""A reduction asked of the metric or of `self.log` (document 001, example 3), for figures that are a mean over
batches and for figures that are not."""

from torchmetrics import AUROC, Accuracy, F1Score
from torchmetrics import MetricCollection as Metrics

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import accuracy, auroc_macro, f1_macro
from scenarios.models import Classifier


class AsDocumented(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.accuracy = Accuracy(reduce="mean")

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.log("train_acc", self.accuracy(y_hat, y))
        return self.loss_fn(y_hat, y)


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
        x, y = batch
        y_hat = self(x)
        self.measure(self.train_metrics, y_hat.detach(), y)
        return self.loss_fn(y_hat, y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.measure(self.val_metrics, self(x), y)


class Migrated(Measured):
    """Each batch's value is logged, and `self.log` reduces them to their mean."""

    def measure(self, metrics, y_hat, y):
        self.log_dict(metrics(y_hat, y), on_step=False, on_epoch=True, reduce_fx="mean")


class Recommended(Measured):
    """The metric objects are logged; each reduces its own state, as only it knows how."""

    def measure(self, metrics, y_hat, y):
        metrics.update(y_hat, y)
        self.log_dict(metrics, on_step=False, on_epoch=True)


def declare(variant, module, aggregates, **more):
    scenario(
        pattern="epoch_averaging/metric_reduction", variant=variant, source="document 001, example 3",
        module=lambda data: module(data.features, data.classes), aggregates=aggregates, **more,
    )  # fmt: skip


def figures(**arithmetic):
    return [
        Aggregate(f"{prefix}_{name}", of=quantity, stage=stage, **arithmetic)
        for prefix, stage in (("train", "train"), ("val", "validation"))
        for name, quantity in (("acc", accuracy), ("f1", f1_macro), ("auroc", auroc_macro))
    ]


declare(
    "as_documented", AsDocumented, [Aggregate("train_acc", of=accuracy, stage="train")],
    expects=[Expect("raised", exception="TypeError")],
)  # fmt: skip
declare(
    "migrated", Migrated, figures(predicts=weighted_by_batch_size, across="rank_zero"),
    # Only their batch values are used, so the objects are never reset.
    expects=[Expect("violated", checker="metric_state")],
)  # fmt: skip
declare("recommended", Recommended, figures())
