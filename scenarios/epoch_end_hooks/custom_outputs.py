"""Mean and standard deviation of all logits of an epoch, from what the steps returned (document 000, example 2)."""

import torch
from torchmetrics import Metric

from harness import Aggregate, EpochHook, Expect, scenario
from harness.oracle.quantities import mean_of_outputs, std_of_outputs
from scenarios.models import Classifier


class AsDocumented(Classifier):
    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        return {"logits": logits, "loss": self.loss_fn(logits, y)}

    def validation_step(self, batch, batch_idx):
        return self.training_step(batch, batch_idx)

    def epoch_end(self, outputs):
        self.report("train", torch.cat([output["logits"] for output in outputs]))

    def validation_epoch_end(self, outputs):
        self.report("val", torch.cat([output["logits"] for output in outputs]))

    def report(self, prefix, logits):
        self.log(f"{prefix}_epoch_mean_logits", logits.mean())
        self.log(f"{prefix}_epoch_std_logits", logits.std())


class Migrated(Classifier):
    """Since 2.0 Lightning keeps no outputs; whoever needs them collects them."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.train_logits, self.val_logits = [], []

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.train_logits.append(logits.detach())
        return self.loss_fn(logits, y)

    def validation_step(self, batch, batch_idx):
        self.val_logits.append(self(batch[0]))

    def on_train_epoch_end(self):
        self.report("train", self.train_logits)

    def on_validation_epoch_end(self):
        self.report("val", self.val_logits)

    def report(self, prefix, collected):
        logits = torch.cat(collected)
        self.log(f"{prefix}_epoch_mean_logits", logits.mean())
        self.log(f"{prefix}_epoch_std_logits", logits.std())
        collected.clear()


class Moments(Metric):
    """Count, sum and sum of squares: three numbers, however many batches. In float64 because the variance is
    their small difference."""

    def __init__(self):
        super().__init__()
        for name in ("count", "total", "squares"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, values):
        values = values.detach().double()
        self.count += values.numel()
        self.total += values.sum()
        self.squares += values.square().sum()

    def compute(self):
        mean = self.total / self.count
        return mean, ((self.squares - self.count * mean**2) / (self.count - 1)).sqrt()


class Recommended(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.train_moments, self.val_moments = Moments(), Moments()

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.train_moments.update(logits)
        return self.loss_fn(logits, y)

    def validation_step(self, batch, batch_idx):
        self.val_moments.update(self(batch[0]))

    def on_train_epoch_end(self):
        self.report("train", self.train_moments)

    def on_validation_epoch_end(self):
        self.report("val", self.val_moments)

    def report(self, prefix, moments):
        mean, std = moments.compute()
        self.log(f"{prefix}_epoch_mean_logits", mean)
        self.log(f"{prefix}_epoch_std_logits", std)
        moments.reset()


def declare(variant, module, across="rank_zero", **more):
    scenario(
        pattern="epoch_end_hooks/custom_outputs", variant=variant, source="document 000, example 2",
        module=lambda data: module(data.features, data.classes),
        aggregates=[
            Aggregate(f"{prefix}_epoch_{name}_logits", of=quantity, stage=stage, across=across)
            for prefix, stage in (("train", "train"), ("val", "validation"))
            for name, quantity in (("mean", mean_of_outputs), ("std", std_of_outputs))
        ],
        **more,
    )  # fmt: skip


declare(
    "as_documented", AsDocumented,
    hooks=[EpochHook("epoch_end", "train"), EpochHook("validation_epoch_end", "validation")],
    expects=[
        Expect("raised", exception="NotImplementedError", needs="pytorch_lightning>=2.0"),
        Expect("missing", aggregate="train_*", checker="aggregate"),
        Expect("violated", aggregate="epoch_end (*)", checker="hook"),
    ],
)  # fmt: skip
declare("migrated", Migrated)
declare("recommended", Recommended, across="samples")
