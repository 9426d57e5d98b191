"""torchmetrics objects, which keep the state that their figure needs: logged, computed by hand, or in a collection."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC, MulticlassF1Score

from scenarios.models import Classifier
from scenarios.strategies.figures import exact, figures, strategy


class MetricObjects(Classifier):
    compute_groups = True

    def __init__(self, features, classes):
        super().__init__(features, classes)
        metrics = MetricCollection(
            {
                # What is validated is read back from the device, in every step.
                "acc": MulticlassAccuracy(classes, average="micro", validate_args=False),
                "f1": MulticlassF1Score(classes, validate_args=False),
                "auroc": MulticlassAUROC(classes, validate_args=False),
            },
            compute_groups=self.compute_groups,
        )
        self.train_metrics, self.val_metrics = metrics.clone(prefix="train_"), metrics.clone(prefix="val_")

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.count(self.train_metrics, y_hat.detach(), y)
        return self.loss_fn(y_hat, y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.count(self.val_metrics, self(x), y)


class Logged(MetricObjects):
    """Lightning computes and resets what it is given when the epoch ends."""

    compute_groups = False

    def count(self, metrics, y_hat, y):
        metrics.update(y_hat, y)
        self.log_dict(metrics, on_step=False, on_epoch=True)


class UpdateAndCompute(MetricObjects):
    compute_groups = False

    def count(self, metrics, y_hat, y):
        metrics.update(y_hat, y)

    def on_train_epoch_end(self):
        self.report(self.train_metrics)

    def on_validation_epoch_end(self):
        self.report(self.val_metrics)

    def report(self, metrics):
        self.log_dict(metrics.compute())
        metrics.reset()


class ComputeGroups(UpdateAndCompute):
    """Metrics that share their state update it once."""

    compute_groups = True


FIGURES = figures(across="samples", acc=exact, f1=exact, auroc=exact)

strategy("logged_metric", "migrated", Logged, FIGURES, source="torchmetrics documentation, TorchMetrics in Lightning")
strategy("update_and_compute", "migrated", UpdateAndCompute, FIGURES)
strategy(
    "metric_collection", "migrated", ComputeGroups, FIGURES,
    source="torchmetrics documentation, MetricCollection: compute groups",
)  # fmt: skip
