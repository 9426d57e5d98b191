"""Feeds a workload to a DataLoader in just the batches it prescribes, and remembers which samples they hold."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from harness.workloads.workload import Workload


class Samples(Dataset):  # type: ignore[misc]  # torch is not type-checked here
    def __init__(self, workload: Workload) -> None:
        self.features = torch.from_numpy(workload.features)
        self.targets = torch.from_numpy(workload.targets)
        self._ids: dict[bytes, int] = {}
        self._expected: dict[tuple[int, ...], Tensor] = {}

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.features[index], self.targets[index]

    def identify(self, batch: Any, supposed: tuple[int, ...]) -> tuple[int, ...]:
        """The ids of the samples in a batch, by what it holds.

        `supposed` is what the sampler gave out for this place; a loop may pass on another batch. Features that
        are no sample's, because a hook of the module transformed them, are taken for the supposed ones.
        """
        features = batch[0].detach().cpu()
        expected = self._expected.get(supposed)
        if expected is None:
            expected = self._expected.setdefault(supposed, self.features[list(supposed)])
        if torch.equal(features, expected):
            return supposed
        if not self._ids:
            self._ids = {row.numpy().tobytes(): index for index, row in enumerate(self.features)}
        found = [self._ids.get(row.numpy().tobytes()) for row in features]
        return supposed if None in found else tuple(index for index in found if index is not None)


class Partition(Sampler):  # type: ignore[misc]  # as above
    """A batch sampler that yields the workload's batches, and remembers those of the present pass.

    Where several ranks share an epoch, batch k goes to rank k modulo their number.
    """

    def __init__(self, batches: tuple[tuple[int, ...], ...]) -> None:
        self.batches = batches
        self.given: list[tuple[int, ...]] = []

    def __len__(self) -> int:
        return len(self._of_this_rank())

    def __iter__(self) -> Iterator[list[int]]:
        self.given = []
        for batch in self._of_this_rank():
            self.given.append(batch)
            yield list(batch)

    def _of_this_rank(self) -> tuple[tuple[int, ...], ...]:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return self.batches[torch.distributed.get_rank() :: torch.distributed.get_world_size()]
        return self.batches
