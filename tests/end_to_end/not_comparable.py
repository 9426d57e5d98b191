"""One scenario that can be compared with the bare loop, and some that cannot, each for a reason of its own."""

import torch
from costly import KeptLosses

from harness import Aggregate, quantities, scenario
from scenarios.strategies.bare_loop import BareLoop


class Forgotten(KeptLosses):
    pass


class OtherData(KeptLosses):
    pass


class ValidationOnly(BareLoop):
    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.training_step(batch, batch_idx))


class Wider(KeptLosses):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.unused = torch.nn.Linear(features, 1)


def declare(module, key="train_loss", stage="train", of=quantities.cross_entropy, workloads="digits/even"):
    scenario(
        pattern=f"some/{module.__name__}", variant="migrated",
        module=lambda data: module(data.features, data.classes),
        aggregates=[Aggregate(key, of=of, stage=stage)], workloads=workloads,
    )  # fmt: skip


declare(KeptLosses)
declare(Forgotten, "never_logged")
declare(OtherData, workloads="diabetes/even", of=quantities.mean_squared_error)
declare(ValidationOnly, "val_loss", "validation")
declare(Wider)
