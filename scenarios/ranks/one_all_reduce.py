"""A sum and a count of each rank's samples, added up over all ranks by one all-reduce an epoch.

Exact however ranks share an epoch: no rank needs to have as many batches or samples as another, or any at all, and what
a `DistributedSampler` gives out once more counts once.
"""

import torch
from torch import distributed
from torch.nn import functional
from torch.utils.data import DistributedSampler

from harness import Aggregate, scenario
from harness.oracle.across import over_each_sample_once
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.models import Classifier

STAGES = ("train", "val")


def is_own(loader, seen, samples):
    """Of the next samples of a loader of which so many were seen, those that are no padding. A `DistributedSampler` has
    it behind all others, and deals them to ranks one by one (`torch/utils/data/distributed.py`, `__iter__`)."""
    sampler = loader.sampler
    if not isinstance(sampler, DistributedSampler):
        return torch.ones(samples, dtype=torch.bool)
    places = torch.arange(seen, seen + samples) * sampler.num_replicas + sampler.rank
    return places < len(sampler.dataset)


class OneAllReduce(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.allow_zero_length_dataloader_with_multiple_devices = True

    def on_train_epoch_start(self):
        self.seen = dict.fromkeys(STAGES, 0)
        self.sums = {stage: torch.zeros(3, dtype=torch.float64, device=self.device) for stage in STAGES}

    def training_step(self, batch, batch_idx):
        return self.add("train", self.trainer.train_dataloader, *batch)

    def validation_step(self, batch, batch_idx):
        if not self.trainer.sanity_checking:
            self.add("val", self.trainer.val_dataloaders, *batch)

    def add(self, stage, loader, x, y):
        y_hat = self(x)
        losses = functional.cross_entropy(y_hat, y, reduction="none")
        own = is_own(loader, self.seen[stage], len(y)).to(self.device)
        hits = y_hat.argmax(dim=1) == y
        self.seen[stage] += len(y)
        self.sums[stage] += torch.stack([each[own].sum().double() for each in (losses.detach(), hits, own)])
        return losses.mean()

    def on_train_epoch_end(self):
        """Every rank comes by here, after validation; a rank that validates nothing hears nothing of validation."""
        sums = torch.stack([self.sums[stage] for stage in STAGES])
        if self.trainer.world_size > 1:
            distributed.all_reduce(sums)
        for stage, (loss, hits, samples) in zip(STAGES, sums, strict=True):
            self.log(f"{stage}_loss", loss / samples, rank_zero_only=True)
            self.log(f"{stage}_acc", hits / samples, rank_zero_only=True)


scenario(
    pattern="ranks/one_all_reduce", variant="recommended", needs="pytorch_lightning>=2.0",
    module=lambda data: OneAllReduce(data.features, data.classes), ranks=2, workloads=["ranks/*", "digits/train=*"],
    aggregates=[
        Aggregate(f"{prefix}_{name}", of=quantity, stage=stage, predicts=over_each_sample_once)
        for prefix, stage in zip(STAGES, ("train", "validation"), strict=True)
        for name, quantity in (("loss", cross_entropy), ("acc", accuracy))
    ],
)  # fmt: skip
