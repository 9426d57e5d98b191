"""Batch values added up by hand and divided by the number of batches (document 001, example 2).

The document takes `Accuracy` from `pytorch_lightning.metrics`, which `per_batch_logging` shows to be gone;
here it comes from torchmetrics, so that the averaging itself is reached.
"""

from torchmetrics import Accuracy

from harness import Aggregate, EpochHook, Expect, scenario
from harness.oracle.predictions import mean_of_batch_means
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.models import Classifier


class Sums(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.accuracy = Accuracy(task="multiclass", num_classes=classes)
        self.clear()

    def clear(self):
        self.epoch_loss, self.epoch_acc, self.batch_count = 0.0, 0.0, 0

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        self.epoch_loss += loss.item()
        self.epoch_acc += self.accuracy(y_hat, y).item()
        self.batch_count += 1
        return loss

    def report(self, prefix):
        self.log(f"{prefix}_epoch_loss", self.epoch_loss / self.batch_count)
        self.log(f"{prefix}_epoch_acc", self.epoch_acc / self.batch_count)
        self.clear()


class AsDocumented(Sums):
    def training_epoch_end(self, outputs):
        self.report("train")


class Migrated(Sums):
    """Validation is averaged in the same way, with sums of its own: it runs before the training epoch ends."""

    def on_train_epoch_end(self):
        self.report("train")

    def on_validation_epoch_start(self):
        self.training_sums = self.epoch_loss, self.epoch_acc, self.batch_count
        self.clear()

    def validation_step(self, batch, batch_idx):
        self.training_step(batch, batch_idx)

    def on_validation_epoch_end(self):
        self.report("val")
        self.epoch_loss, self.epoch_acc, self.batch_count = self.training_sums


class Recommended(Classifier):
    """Every sample counts the same; the sums stay on the device, so no step waits for it."""

    def on_train_epoch_start(self):
        self.train_sums = [0.0, 0.0, 0]

    def on_validation_epoch_start(self):
        self.val_sums = [0.0, 0.0, 0]

    def add(self, sums, batch):
        x, y = batch
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        sums[0] += loss.detach() * len(y)
        sums[1] += (y_hat.argmax(dim=1) == y).sum()
        sums[2] += len(y)
        return loss

    def training_step(self, batch, batch_idx):
        return self.add(self.train_sums, batch)

    def validation_step(self, batch, batch_idx):
        self.add(self.val_sums, batch)

    def on_train_epoch_end(self):
        self.report("train", *self.train_sums)

    def on_validation_epoch_end(self):
        self.report("val", *self.val_sums)

    def report(self, prefix, loss, correct, samples):
        self.log(f"{prefix}_epoch_loss", loss / samples)
        self.log(f"{prefix}_epoch_acc", correct / samples)


def declare(variant, module, stages, **more):
    arithmetic = {} if variant == "recommended" else {"predicts": mean_of_batch_means}
    scenario(
        pattern="epoch_averaging/manual_average", variant=variant, source="document 001, example 2",
        module=lambda data: module(data.features, data.classes),
        aggregates=[
            Aggregate(f"{prefix}_epoch_{name}", of=quantity, stage=stage, across="rank_zero", **arithmetic)
            for prefix, stage in stages.items()
            for name, quantity in (("loss", cross_entropy), ("acc", accuracy))
        ],
        **more,
    )  # fmt: skip


BOTH = {"train": "train", "val": "validation"}
NEVER_RESET = Expect("violated", checker="metric_state")

declare(
    "as_documented", AsDocumented, {"train": "train"}, hooks=[EpochHook("training_epoch_end", "train")],
    expects=[Expect("raised", exception="NotImplementedError", needs="pytorch_lightning>=2.0"), NEVER_RESET],
)  # fmt: skip
declare("migrated", Migrated, BOTH, expects=[NEVER_RESET])
declare("recommended", Recommended, BOTH)
