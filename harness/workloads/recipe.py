"""What a workload is made of, as data."""

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.workloads.schedule import Schedule
from harness.workloads.sharing import DEALT
from harness.workloads.workload import Workload

UNHEEDED = {"torch": ("schedule", "loaders"), "keras": ("schedule", "loaders", "structure", "precision")}


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
    sharing: str = DEALT

    def beyond(self, framework: str) -> list[str]:
        """What a workload asks for that the framework's adapter does not heed."""
        asked = {
            "schedule": self.schedule != Schedule(epochs=self.schedule.epochs),
            "loaders": bool(self.loaders),
            "structure": self.structure != "pair",
            "precision": self.precision != "float32",
        }
        return [part for part in UNHEEDED.get(framework, ()) if asked[part]]
