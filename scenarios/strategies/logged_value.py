"""`self.log(on_epoch=True)` of what each batch gives: Lightning averages it, weighted by batch size."""

from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from harness import Aggregate
from harness.oracle.predictions import last_batch, since_resuming, weighted_by_batch_size
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier
from scenarios.strategies.figures import figures, strategy

SOURCE = "Lightning documentation, Logging: automatic logging"


class LoggedValue(Classifier):
    on_step = False

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.classes = classes

    def training_step(self, batch, batch_idx):
        return self.measure("train", *batch)

    def validation_step(self, batch, batch_idx):
        self.measure("val", *batch)

    def measure(self, prefix, x, y):
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        values = {
            f"{prefix}_loss": loss,
            f"{prefix}_acc": multiclass_accuracy(y_hat, y, self.classes, average="micro"),
            f"{prefix}_f1": multiclass_f1_score(y_hat, y, self.classes),
        }
        self.log_dict(values, on_step=self.on_step, on_epoch=True)
        return loss


class ReadInACallback(LoggedValue):
    """Logged per step and per epoch at once; `trainer.callback_metrics` then holds three names for each."""

    on_step = True


def read(name, predicts, stage="train"):
    return Aggregate(
        name, of=cross_entropy, stage=stage, predicts=since_resuming(predicts), reported_in="callback_metrics",
        across="rank_zero",
    )  # fmt: skip


strategy(
    "logged_value", "as_documented", LoggedValue,
    figures(loss=weighted_by_batch_size, acc=weighted_by_batch_size, f1=weighted_by_batch_size), source=SOURCE,
)  # fmt: skip
strategy(
    "callback_metrics", "as_documented", ReadInACallback,
    [
        read("train_loss", weighted_by_batch_size),
        read("train_loss_epoch", weighted_by_batch_size),
        read("train_loss_step", last_batch),
        read("val_loss", weighted_by_batch_size, stage="validation"),
    ],
    source=SOURCE,
)  # fmt: skip
