"""An exponential moving average of the loss over n batches (document 002, example 3).

The document smooths only where more than n batches were counted, inside a condition that they are n: never.
"""

from torchmetrics.aggregation import MeanMetric

from harness import Aggregate, scenario
from harness.oracle.predictions import every_n_batches, exponential_mean
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier

N, ALPHA = 50, 0.9


class AsDocumented(Classifier):
    def __init__(self, features, classes, alpha=ALPHA):
        super().__init__(features, classes)
        self.alpha = alpha
        self.loss_sum, self.loss_avg, self.batch_count = 0.0, 0.0, 0

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        self.loss_sum += loss.item()
        self.batch_count += 1
        if self.batch_count == N:
            window = self.loss_sum / N
            smoothed = self.alpha * self.loss_avg + (1 - self.alpha) * window
            self.loss_avg = smoothed if self.batch_count > N else window
            self.log("train_loss", self.loss_avg, on_step=False, on_epoch=True)
            self.loss_sum, self.batch_count = 0.0, 0
        return {"loss": loss}


class Recommended(Classifier):
    """The epoch's loss is one figure, the smoothed loss another, of a name of its own."""

    def __init__(self, features, classes, alpha=ALPHA):
        super().__init__(features, classes)
        self.alpha = alpha
        self.epoch_loss = MeanMetric()
        self.loss_sum, self.smoothed, self.batch_count = 0.0, None, 0

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        self.epoch_loss.update(loss.detach(), weight=len(y))
        self.log("train_loss", self.epoch_loss, on_step=False, on_epoch=True)
        self.loss_sum += loss.detach()
        self.batch_count += 1
        if self.batch_count == N:
            window = self.loss_sum / N
            first = self.smoothed is None
            self.smoothed = window if first else self.alpha * self.smoothed + (1 - self.alpha) * window
            self.log("train_loss_smoothed", self.smoothed, on_step=False, on_epoch=True)
            self.loss_sum, self.batch_count = 0.0, 0
        return loss


def declare(variant, module, aggregates, alpha=ALPHA):
    scenario(
        pattern="every_n_batches/moving_average", variant=variant, source="document 002, example 3",
        module=lambda data: module(data.features, data.classes, alpha), aggregates=aggregates,
    )  # fmt: skip


WINDOWS = Aggregate("train_loss", of=cross_entropy, stage="train", predicts=every_n_batches(N), across="rank_zero")

declare("as_documented", AsDocumented, [WINDOWS])
declare("migrated", AsDocumented, [WINDOWS])
# To show that it does not matter: without any smoothing, the same bits.
declare("control", AsDocumented, [WINDOWS], alpha=0.0)
declare(
    "recommended", Recommended,
    [
        Aggregate("train_loss", of=cross_entropy, stage="train"),
        # Not the epoch's loss, and not meant to be: what the document's alpha would do, if it did.
        Aggregate(
            "train_loss_smoothed", of=cross_entropy, stage="train", predicts=exponential_mean(N, ALPHA),
            across="rank_zero",
        ),
    ],
)  # fmt: skip
