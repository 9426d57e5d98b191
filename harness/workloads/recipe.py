"""What a workload is made of, as data."""

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload


@dataclass(frozen=True)
class Partition:
    """How many samples are used for training and validation, and how large a batch is."""

    train: int
    validation: int
    batch: int


def _as_it_is(workload: Workload) -> Workload:
    return workload


@dataclass(frozen=True)
class Recipe:
    """Samples of a data set, cut into batches, and what is done to them; the rest is as in `Workload`."""

    dataset: str
    partition: Partition
    spoil: Callable[[Workload], Workload] = _as_it_is
    loaders: tuple[int, ...] = ()
    structure: str = "pair"
    precision: str = "float32"
    schedule: Schedule = field(default_factory=Schedule)
