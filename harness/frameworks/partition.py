"""Feeds a workload to a DataLoader in just the batches it prescribes, and remembers which samples they hold."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from harness.workloads.sharing import DEALT, PADDED, share
from harness.workloads.workload import Workload


def _as_it_is(samples: Dataset) -> Dataset:
    return samples


class Samples(Dataset):  # type: ignore[misc]  # torch is not type-checked here
    targets_noted = None  # the workload has them

    def __init__(self, workload: Workload) -> None:
        precision = getattr(torch, workload.precision)
        targets = torch.from_numpy(workload.targets)
        self.features = torch.from_numpy(workload.features).to(precision)
        self.targets = targets.to(precision) if targets.is_floating_point() else targets
        self._structure = workload.structure
        self._ids: dict[bytes, int] = {}
        self._expected: dict[tuple[int, ...], Tensor] = {}

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.features[index], self.targets[index]

    def identify(self, batch: Any, supposed: tuple[int, ...]) -> tuple[int, ...]:
        """The ids of the samples in a batch, by what it holds.

        `supposed` is what the sampler gave out for this place; a loop may pass on another batch. Features that
        are no sample's, because a hook of the module transformed or rearranged them, are taken for the supposed ones.
        """
        features = self._features(batch)
        if features is None:
            return supposed
        expected = self._expected.get(supposed)
        if expected is None:
            expected = self._expected.setdefault(supposed, self.features[list(supposed)])
        if torch.equal(features, expected):
            return supposed
        if not self._ids:
            self._ids = {_bytes(row): index for index, row in enumerate(self.features)}
        found = [self._ids.get(_bytes(row)) for row in features]
        return supposed if None in found else tuple(index for index in found if index is not None)

    def foreign(self, batch: Any) -> tuple[int, ...]:
        """Of one from a loader that is not the harness's; none if it holds other samples, or is of another kind."""
        return self.identify(batch, ())

    def loader(
        self, sampler: "Partition", through: Callable[[Dataset], Dataset] = _as_it_is, **options: Any
    ) -> DataLoader:
        """Gives the sampler's batches, in the workload's structure.

        Args:
            through: what makes of these samples those that are given.
            options: further ones of a `DataLoader`.
        """
        if self._structure != "pair":
            options["collate_fn"] = self._collate
        if sampler.sharing == PADDED and sampler.batches:
            size = len(sampler.batches[0])
            return DataLoader(through(self), batch_size=size, sampler=InOrder(sampler), **options)
        return DataLoader(through(self), batch_sampler=sampler, **options)

    def _collate(self, samples: list[tuple[Tensor, Tensor]]) -> Any:
        features, targets = default_collate(samples)
        if self._structure == "dict":
            return {"features": features, "targets": targets}
        scale = torch.ones(self.features.shape[1], dtype=features.dtype)
        return {"scale": scale, "sample": (features, {"targets": targets})}

    def _features(self, batch: Any) -> Tensor | None:
        """Those of a batch; None where it has another structure than the workload's, or others in their place."""
        with suppress(Exception):
            features = self._in_place(batch).detach().cpu()
            if (features.dtype, features.shape[1:]) == (self.features.dtype, self.features.shape[1:]):
                return features
        return None

    def _in_place(self, batch: Any) -> Tensor:
        """Where a batch is one of each of several loaders, those of all that gave one."""
        if self._structure == "pair":
            parts = list(batch.values()) if isinstance(batch, dict) else batch
            if isinstance(parts[0], Tensor):
                return parts[0]
            return torch.cat([features for features, _ in filter(None, parts)])
        return batch["features"] if self._structure == "dict" else batch["sample"][0]


def _bytes(row: Tensor) -> bytes:
    content: bytes = row.contiguous().view(torch.uint8).numpy().tobytes()
    return content


class Partition(Sampler):  # type: ignore[misc]  # as above
    """A batch sampler that yields the workload's batches, and remembers those of the present pass.

    Attributes:
        sharing: how several ranks share them.
        begun: called whenever a pass begins.
    """

    def __init__(self, batches: tuple[tuple[int, ...], ...], sharing: str = DEALT) -> None:
        self.batches = batches
        self.sharing = sharing
        self.given: list[tuple[int, ...]] = []
        self.begun: Callable[[], None] = unnoticed

    def __len__(self) -> int:
        return len(self._of_this_rank())

    def __iter__(self) -> Iterator[list[int]]:
        self.begin()
        for batch in self._of_this_rank():
            self.given.append(batch)
            yield list(batch)

    def begin(self) -> None:
        self.given = []
        self.begun()

    def _of_this_rank(self) -> tuple[tuple[int, ...], ...]:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
            return share(self.batches, self.sharing, rank, ranks)
        return self.batches


class InOrder(Sampler):  # type: ignore[misc]  # as above
    """Gives the samples of a partition one by one, so that Lightning puts a sampler of its own around it, which deals
    them to ranks and gives some out once more. Which come in which batch is known by what they hold."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._samples = [sample for batch in partition.batches for sample in batch]

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[int]:
        self._partition.begin()
        return iter(self._samples)


def unnoticed() -> None:
    """Nobody is told."""


class WrappedLoader:
    """Has whatever the loader inside has; how it is iterated over is for those that inherit."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
