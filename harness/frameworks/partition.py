"""Feeds a workload to a DataLoader in just the batches it prescribes, and remembers which samples they hold."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from harness.workloads.workload import Workload


class Samples(Dataset):  # type: ignore[misc]  # torch is not type-checked here
    def __init__(self, workload: Workload) -> None:
        self.features = torch.from_numpy(workload.features)
        self.targets = torch.from_numpy(workload.targets)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.features[index], self.targets[index]


class Partition(Sampler):  # type: ignore[misc]  # as above
    """A batch sampler that yields the workload's batches, and remembers those of the present pass."""

    def __init__(self, batches: tuple[tuple[int, ...], ...]) -> None:
        self.batches = batches
        self.given: list[tuple[int, ...]] = []

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        self.given = []
        for batch in self.batches:
            self.given.append(batch)
            yield list(batch)
