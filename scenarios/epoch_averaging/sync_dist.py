"""Two processes share an epoch; what rank 0 reports with and without `sync_dist` (document 001, advice at the end)."""

from torchmetrics import MeanMetric

from harness import Aggregate, scenario
from harness.oracle.predictions import weighted_on_rank_zero, weighted_with_truncated_count
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier


class Unsynchronised(Classifier):
    sync_dist = False

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=self.sync_dist)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y), sync_dist=self.sync_dist)


class Synchronised(Unsynchronised):
    sync_dist = True


class Recommended(Classifier):
    """A metric object sums over the ranks what it sums over batches: values and samples, each once."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.train_loss, self.val_loss = MeanMetric(), MeanMetric()

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        self.train_loss.update(loss.detach(), weight=len(y))
        self.log("train_loss", self.train_loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.val_loss.update(self.loss_fn(self(x), y), weight=len(y))
        self.log("val_loss", self.val_loss, on_step=False, on_epoch=True)


def losses(**more):
    return [
        Aggregate("train_loss", of=cross_entropy, stage="train", **more),
        Aggregate("val_loss", of=cross_entropy, stage="validation", **more),
    ]


def declare(variant, module, aggregates):
    scenario(
        pattern="epoch_averaging/sync_dist", variant=variant, source="document 001, advice at the end",
        module=lambda data: module(data.features, data.classes),
        workloads=["digits/even", "digits/ragged"], ranks=2, aggregates=aggregates,
    )  # fmt: skip


declare("control", Unsynchronised, losses(predicts=weighted_on_rank_zero))
declare(
    "migrated", Synchronised,
    [
        *losses(needs="pytorch_lightning<2.0"),
        *losses(needs="pytorch_lightning>=2.0", predicts=weighted_with_truncated_count),
    ],
)  # fmt: skip
declare("recommended", Recommended, losses())
