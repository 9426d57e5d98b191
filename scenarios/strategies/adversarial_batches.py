"""How Lightning tells how large a batch is, and which of several validation loaders a figure is of."""

from torchmetrics import Accuracy

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import mean_of_batch_means, over_the_epoch, weighted_by_batch_size
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.models import Classifier


class Inferred(Classifier):
    """Lightning takes the size of the first tensor that it finds in a batch."""

    def training_step(self, batch, batch_idx):
        return self.report("train_loss", batch)

    def validation_step(self, batch, batch_idx):
        self.report("val_loss", batch)

    def report(self, name, batch):
        x, y = self.features_and_targets(batch)
        loss = self.loss_fn(self(x), y)
        self.log(name, loss, on_step=False, on_epoch=True, batch_size=self.size_of(y))
        return loss

    def features_and_targets(self, batch):
        if "sample" in batch:
            x, y = batch["sample"]
            return x, y["targets"]
        return batch["features"], batch["targets"]

    def size_of(self, y):
        return None


class Given(Inferred):
    def size_of(self, y):
        return len(y)


class Numbered(Classifier):
    """One name for all loaders; Lightning adds the loader's number. A metric object for each."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.val_0_acc, self.val_1_acc = (Accuracy(task="multiclass", num_classes=classes) for _ in range(2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        x, y = batch
        y_hat = self(x)
        metric = (self.val_0_acc, self.val_1_acc)[dataloader_idx]
        metric.update(y_hat, y)
        self.report(self.loss_fn(y_hat, y), metric, dataloader_idx)

    def report(self, loss, metric, loader):
        self.log("val_loss", loss)
        self.log("val_acc", metric)


class Named(Numbered):
    """A name of its own for each loader."""

    def report(self, loss, metric, loader):
        self.log(f"val_{loader}_loss", loss, add_dataloader_idx=False)
        self.log(f"val_{loader}_acc", metric, add_dataloader_idx=False)


class Mixed(Numbered):
    """One name for all loaders, and nothing added to it."""

    def report(self, loss, metric, loader):
        self.log("val_loss", loss, add_dataloader_idx=False)
        self.log("val_acc", metric, add_dataloader_idx=False)


def losses(predicts):
    return [
        Aggregate("train_loss", of=cross_entropy, stage="train", predicts=predicts, across="rank_zero"),
        Aggregate("val_loss", of=cross_entropy, stage="validation", predicts=predicts, across="rank_zero"),
    ]


def declare(pattern, variant, module, workload, aggregates, expects=()):
    scenario(
        pattern=f"strategies/{pattern}", variant=variant, workloads=f"adversarial/{workload}", expects=expects,
        module=lambda data: module(data.features, data.classes), aggregates=aggregates,
    )  # fmt: skip


declare("batch_size_in_dict", "migrated", Inferred, "dict", losses(weighted_by_batch_size))
declare("batch_size_in_dict", "recommended", Given, "dict", losses(weighted_by_batch_size))
# The first tensor has a number per feature, so every batch counts the same
# (`utilities/data.py`, `extract_batch_size`, which warns of it).
declare("batch_size_in_nested", "migrated", Inferred, "nested", losses(mean_of_batch_means))
declare("batch_size_in_nested", "recommended", Given, "nested", losses(weighted_by_batch_size))


def of_each_loader(loss, acc):
    return [
        Aggregate(name.format(loader), of=quantity, stage="validation", loader=loader, predicts=predicts)
        for loader in (0, 1)
        for name, quantity, predicts in (
            (loss, cross_entropy, weighted_by_batch_size), (acc, accuracy, over_the_epoch),
        )
    ]  # fmt: skip


declare(
    "validation_loaders", "migrated", Numbered, "two_loaders",
    of_each_loader("val_loss/dataloader_idx_{}", "val_acc/dataloader_idx_{}"),
)  # fmt: skip
declare(
    "validation_loaders", "recommended", Named, "two_loaders", of_each_loader("val_{}_loss", "val_{}_acc"),
)  # fmt: skip
declare(
    "validation_loaders", "control", Mixed, "two_loaders",
    [
        Aggregate("val_loss", of=cross_entropy, stage="validation", predicts=weighted_by_batch_size),
        Aggregate("val_acc", of=accuracy, stage="validation"),
    ],
    # Two loaders with one key in one hook (`logger_connector/result.py`, `_ResultCollection.log`).
    expects=[Expect("raised", exception="MisconfigurationException")],
)  # fmt: skip
