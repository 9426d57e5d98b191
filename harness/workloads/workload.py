"""A workload as a trial sees it: arrays and partitions from a file. NumPy only.

The coordinating side makes the file (`harness.workloads.library`); a trial only reads it, so that it runs in
an environment that holds nothing but a framework.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DataShape:
    """What a module must know to be built: `classes` is 0 for a regression task."""

    features: int
    classes: int


@dataclass(frozen=True)
class Workload:
    """Samples and their partition.

    Attributes:
        features: float32, shape (samples, features); row i is the sample with id i.
        targets: int64 of shape (samples,) for classes, float32 of shape (samples, 1) for regression.
        train, validation: the batches of an epoch, each a tuple of sample ids.
    """

    name: str
    task: str
    features: NDArray[np.float32]
    targets: NDArray[Any]
    train: tuple[tuple[int, ...], ...]
    validation: tuple[tuple[int, ...], ...]

    @property
    def shape(self) -> DataShape:
        classes = int(self.targets.max()) + 1 if self.task == "classification" else 0
        return DataShape(features=self.features.shape[1], classes=classes)

    def batches(self, stage: str) -> tuple[tuple[int, ...], ...]:
        """`stage` is `train` or `validation`."""
        return self.train if stage == "train" else self.validation

    def save(self, path: Path) -> None:
        """Write to an uncompressed .npz file."""
        np.savez(
            path,
            name=np.array(self.name),
            task=np.array(self.task),
            features=self.features,
            targets=self.targets,
            train_ids=np.concatenate(self.train),
            train_sizes=np.array([len(batch) for batch in self.train]),
            validation_ids=np.concatenate(self.validation),
            validation_sizes=np.array([len(batch) for batch in self.validation]),
        )

    @staticmethod
    def load(path: str | Path) -> "Workload":
        with np.load(path, allow_pickle=False) as data:
            return Workload(
                name=str(data["name"]),
                task=str(data["task"]),
                features=data["features"],
                targets=data["targets"],
                train=split(data["train_ids"], data["train_sizes"]),
                validation=split(data["validation_ids"], data["validation_sizes"]),
            )


def split(ids: NDArray[Any], sizes: NDArray[Any]) -> tuple[tuple[int, ...], ...]:
    """Cut `ids` into batches of those sizes, which add up to their number."""
    ends = np.cumsum(sizes)
    return tuple(tuple(int(i) for i in ids[end - size : end]) for end, size in zip(ends, sizes, strict=True))
