"""A workload as a trial sees it: arrays and partitions from a file. NumPy only.

The coordinating side makes the file (`harness.workloads.library`); a trial only reads it, so that it runs in
an environment that holds nothing but a framework.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.workloads.schedule import Schedule, limited
from harness.workloads.sharing import DEALT, Batches, share


@dataclass(frozen=True)
class DataShape:
    """What a module must know to be built: `classes` is 0 for a regression task."""

    features: int
    classes: int


@dataclass(frozen=True)
class Workload:
    """Samples, their partition, and how a loop goes over it.

    Attributes:
        features: float32, shape (samples, features); row i is the sample with id i.
        targets: int64 of shape (samples,) for classes, float32 of shape (samples, 1) for regression.
        train, validation: the batches of an epoch, each a tuple of sample ids.
        loaders: how many of the validation batches each loader gives, one loader after the other; empty for
            a single loader that gives them all.
        structure: how a loader arranges a batch: `pair` (features, targets), `dict` of `features` and
            `targets`, or `nested`: a dict of `scale`, one number per *feature*, and `sample`, which is
            features and a dict of `targets`.
        precision: of the model and of the features it is given; where it is a half, targets are classes.
        sharing: how several ranks share its batches (`harness.workloads.sharing`).
    """

    name: str
    task: str
    features: NDArray[np.float32]
    targets: NDArray[Any]
    train: Batches
    validation: Batches
    loaders: tuple[int, ...] = ()
    structure: str = "pair"
    precision: str = "float32"
    schedule: Schedule = field(default_factory=Schedule)
    sharing: str = DEALT

    @property
    def shape(self) -> DataShape:
        classes = int(self.targets.max()) + 1 if self.task == "classification" else 0
        return DataShape(features=self.features.shape[1], classes=classes)

    def of_rank(self, rank: int, ranks: int) -> "Workload":
        """What one of several ranks goes over."""
        if ranks == 1:
            return self
        validation = [share(loader, self.sharing, rank, ranks) for loader in self.loaders_of("validation")]
        return replace(
            self,
            train=share(self.train, self.sharing, rank, ranks),
            validation=tuple(batch for loader in validation for batch in loader),
            loaders=tuple(len(loader) for loader in validation) if self.loaders else (),
        )

    def loaders_of(self, stage: str) -> tuple[Batches, ...]:
        """The batches of each loader: those to validate on are tested on, too."""
        if stage == "train":
            return (self.train,)
        sizes = self.loaders or (len(self.validation),)
        ends = accumulate(sizes)
        return tuple(self.validation[end - size : end] for end, size in zip(ends, sizes, strict=True))

    def batches(self, stage: str) -> Batches:
        """All batches of a stage that the schedule has one pass go over, in order."""
        return tuple(batch for loader in self.loaders_of(stage) for batch in loader[: self._used(stage, loader)])

    def numbers(self, stage: str) -> tuple[int, ...]:
        """What frameworks call each of `batches`: they count anew for every loader."""
        return tuple(number for loader in self.loaders_of(stage) for number in range(self._used(stage, loader)))

    def _used(self, stage: str, loader: Batches) -> int:
        limit = self.schedule.train_limit if stage == "train" else self.schedule.validation_limit
        return limited(len(loader), limit)

    def passes(self, stage: str, epoch: int) -> int:
        """How often the schedule has an epoch go over the batches of a stage: never, where there are none."""
        if not self.batches(stage):
            return 0
        return self.schedule.validations(epoch, len(self.batches("train"))) if stage == "validation" else 1

    def save(self, path: Path) -> None:
        """Write to an uncompressed .npz file."""
        np.savez(
            path,
            name=np.array(self.name),
            task=np.array(self.task),
            features=self.features,
            targets=self.targets,
            train_ids=_joined(self.train),
            train_sizes=_sizes(self.train),
            validation_ids=_joined(self.validation),
            validation_sizes=_sizes(self.validation),
            loaders=np.array(self.loaders, dtype=np.int64),
            structure=np.array(self.structure),
            precision=np.array(self.precision),
            schedule=np.array(json.dumps(asdict(self.schedule))),
            sharing=np.array(self.sharing),
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
                loaders=tuple(data["loaders"].tolist()),
                structure=str(data["structure"]),
                precision=str(data["precision"]),
                schedule=_schedule(json.loads(str(data["schedule"]))),
                sharing=str(data["sharing"]),
            )


def _joined(batches: Batches) -> NDArray[np.int64]:
    return np.array([sample for batch in batches for sample in batch], dtype=np.int64)


def _sizes(batches: Batches) -> NDArray[np.int64]:
    return np.array([len(batch) for batch in batches], dtype=np.int64)


def split(ids: NDArray[Any], sizes: NDArray[Any]) -> Batches:
    """Cut `ids` into batches of those sizes, which add up to their number."""
    ends = np.cumsum(sizes)
    return tuple(tuple(ids[end - size : end].tolist()) for end, size in zip(ends, sizes, strict=True))


def _schedule(values: dict[str, Any]) -> Schedule:
    """JSON has no tuples."""
    return Schedule(**values | {"stopped_at": values["stopped_at"] and tuple(values["stopped_at"])})
