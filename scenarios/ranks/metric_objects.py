"""A metric object of torchmetrics, logged as it is: it adds its own state up over ranks when it is computed."""

from torchmetrics import AUROC, Accuracy, MeanMetric

from harness import Aggregate
from harness.oracle.quantities import accuracy, auroc_macro
from scenarios.ranks.figures import Trained, declare, val_loss


class Measured(Trained):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.val_loss = MeanMetric()
        self.val_acc = Accuracy(task="multiclass", num_classes=classes)
        self.val_auroc = AUROC(task="multiclass", num_classes=classes, average="macro")

    def validation_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.val_loss.update(self.loss_fn(y_hat, y), weight=len(y))
        for name, metric in (("val_acc", self.val_acc), ("val_auroc", self.val_auroc)):
            metric.update(y_hat, y)
            self.log(name, metric)
        self.log("val_loss", self.val_loss)


declare(
    "metric_objects", "migrated", Measured, val_loss(),
    Aggregate("val_acc", of=accuracy, stage="validation"), Aggregate("val_auroc", of=auroc_macro, stage="validation"),
)  # fmt: skip
