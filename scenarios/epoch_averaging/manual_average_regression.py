"""The averaging of document 001, example 2, on a regression: squared error, and its root, which is no mean."""

from torchmetrics import MeanSquaredError

from harness import Aggregate, EpochHook, Expect, scenario
from harness.oracle.predictions import mean_of_batch_means
from harness.oracle.quantities import mean_squared_error, root_mean_squared_error
from scenarios.models import Regressor


class Sums(Regressor):
    def __init__(self, features):
        super().__init__(features)
        self.totals = {"train": [0.0, 0.0, 0], "val": [0.0, 0.0, 0]}

    def add(self, prefix, batch):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        totals = self.totals[prefix]
        totals[0] += loss.item()
        totals[1] += loss.sqrt().item()
        totals[2] += 1
        return loss

    def training_step(self, batch, batch_idx):
        return self.add("train", batch)

    def report(self, prefix):
        loss, root, batches = self.totals[prefix]
        self.log(f"{prefix}_epoch_mse", loss / batches)
        self.log(f"{prefix}_epoch_rmse", root / batches)
        self.totals[prefix] = [0.0, 0.0, 0]


class AsDocumented(Sums):
    def training_epoch_end(self, outputs):
        self.report("train")


class Migrated(Sums):
    def validation_step(self, batch, batch_idx):
        self.add("val", batch)

    def on_train_epoch_end(self):
        self.report("train")

    def on_validation_epoch_end(self):
        self.report("val")


class Recommended(Regressor):
    """One metric object per figure and stage, logged as it is."""

    def __init__(self, features):
        super().__init__(features)
        self.train_mse, self.val_mse = MeanSquaredError(), MeanSquaredError()
        self.train_rmse, self.val_rmse = MeanSquaredError(squared=False), MeanSquaredError(squared=False)

    def training_step(self, batch, batch_idx):
        x, y = batch
        prediction = self(x)
        self.update("train", prediction.detach(), y)
        return self.loss_fn(prediction, y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.update("val", self(x), y)

    def update(self, prefix, prediction, y):
        for name in ("mse", "rmse"):
            metric = getattr(self, f"{prefix}_{name}")
            metric.update(prediction, y)
            self.log(f"{prefix}_epoch_{name}", metric, on_step=False, on_epoch=True)


def declare(variant, module, stages, **more):
    arithmetic = {} if variant == "recommended" else {"predicts": mean_of_batch_means, "across": "rank_zero"}
    scenario(
        pattern="epoch_averaging/manual_average_regression", variant=variant, source="document 001, example 2",
        module=lambda data: module(data.features), workloads="diabetes/*",
        aggregates=[
            Aggregate(f"{prefix}_epoch_{name}", of=quantity, stage=stage, **arithmetic)
            for prefix, stage in stages.items()
            for name, quantity in (("mse", mean_squared_error), ("rmse", root_mean_squared_error))
        ],
        **more,
    )  # fmt: skip


BOTH = {"train": "train", "val": "validation"}

declare(
    "as_documented", AsDocumented, {"train": "train"}, hooks=[EpochHook("training_epoch_end", "train")],
    expects=[Expect("raised", exception="NotImplementedError", needs="pytorch_lightning>=2.0")],
)  # fmt: skip
declare("migrated", Migrated, BOTH)
declare("recommended", Recommended, BOTH)
