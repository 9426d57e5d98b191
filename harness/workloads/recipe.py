"""What a workload is made of, as data."""

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload


def _as_it_is(workload: Workload) -> Workload:
    return workload


@dataclass(frozen=True)
class Recipe:
    """Samples of a data set, cut into batches, and what is done to them.

    Attributes:
        partition: as `harness.workloads.partitions` writes it.
        spoil: what makes the samples or batches awkward; the rest is as in `Workload`.
    """

    dataset: str
    partition: str
    spoil: Callable[[Workload], Workload] = _as_it_is
    loaders: tuple[int, ...] = ()
    structure: str = "pair"
    precision: str = "float32"
    schedule: Schedule = field(default_factory=Schedule)
