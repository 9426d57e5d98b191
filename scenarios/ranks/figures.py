"""How figures over ranks are declared: on the network that all share, on every way to share an epoch."""

from collections.abc import Callable
from typing import Any

from harness import Aggregate, scenario
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier

SHARED = ["ranks/even", "ranks/ragged", "ranks/more_on_some", "ranks/padded*", "ranks/all_on_every"]
FEW = ["ranks/more_on_some", "ranks/padded"]
# What gives every rank as many samples.
OF_ONE_SIZE = ["ranks/even", "ranks/padded*", "ranks/all_on_every"]


class Trained(Classifier):
    """Reports nothing of training."""

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)


def val_loss(**how: Any) -> Aggregate:
    return Aggregate("val_loss", of=cross_entropy, stage="validation", **how)


def declare(pattern: str, variant: str, module: Callable[..., Any], *aggregates: Aggregate, **more: Any) -> None:
    usual = {"workloads": SHARED, "ranks": 2}
    scenario(
        pattern=f"ranks/{pattern}", variant=variant, module=lambda data: module(data.features, data.classes),
        aggregates=aggregates, **{**usual, **more},
    )  # fmt: skip
