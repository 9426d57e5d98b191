"""On how many ranks a scenario can run on a workload, and if not on so many, why not."""

from functools import cache

from harness.errors import UsageError
from harness.faults.fault import NONE
from harness.scenario import Scenario
from harness.workloads import library
from harness.workloads.sharing import DEALT

MOST = 64  # more processes would be a machine's end before they were an answer
ON_PURPOSE = "ranks/"  # workloads that leave a rank without data; who runs on them has said so


def parse(text: str) -> tuple[int, ...]:
    """Numbers of ranks, such as `1,2,3`; each once, in order.

    Raises:
        UsageError: one is no number from 1 to `MOST`.
    """
    numbers = [part.strip() for part in text.split(",")]
    for number in numbers:
        if not (number.isascii() and number.isdigit()) or not 1 <= int(number) <= MOST:
            raise UsageError(f"{number!r} is no number of ranks: write numbers from 1 to {MOST}, such as 1,2,3")
    return tuple(sorted({int(number) for number in numbers}))


def hindrance(scenario: Scenario, workload: str, fault: str, ranks: int) -> str:
    """Why a scenario cannot run on so many ranks, whatever the machine; empty if it can."""
    if ranks != scenario.ranks:
        if scenario.framework != "lightning":
            return f"only Lightning runs on other ranks than a scenario declares, so far, which are {scenario.ranks}"
        if fault != NONE:
            return f"its faults are aimed at the {scenario.ranks} ranks that it declares"
        if scenario.record or scenario.resume_from:
            return f"its record and checkpoints are those of the {scenario.ranks} ranks that it declares"
    if ranks == 1 or scenario.framework != "lightning":
        return ""
    if scenario.fit:
        return "a script of its own runs on one rank"
    if scenario.data:
        return "data of a scenario's own are not shared by ranks, so far"
    if library.recipe(workload).schedule.stopped_at:
        return "a training that is stopped and resumed runs on one rank, so far"
    return too_many(workload, ranks) or _uneven(workload, ranks)


def too_many(workload: str, ranks: int) -> str:
    """Why a workload cannot be shared by so many; empty if it can."""
    if ranks == 1 or workload.startswith(ON_PURPOSE) or library.recipe(workload).sharing != DEALT:
        return ""
    for stage in ("train", "validation"):
        for batches in _loaders(workload, stage):
            if 0 < batches < ranks:
                return f"{workload} has {batches} {stage} batches, fewer than {ranks} ranks"
    return ""


def _uneven(workload: str, ranks: int) -> str:
    numbers = _batches(workload, "train", ranks)
    if len(set(numbers)) == 1:
        return ""
    return (
        f"{workload} gives ranks {' and '.join(map(str, sorted(set(numbers))))} training batches, "
        f"and DDP waits forever for a rank that has fewer"
    )


@cache
def _loaders(workload: str, stage: str) -> tuple[int, ...]:
    """How many batches each of a stage's loaders has; whatever the seed."""
    return tuple(len(loader) for loader in library.build(workload, seed=0).loaders_of(stage))


@cache
def _batches(workload: str, stage: str, ranks: int) -> tuple[int, ...]:
    """How many each rank goes over."""
    built = library.build(workload, seed=0)
    return tuple(len(built.of_rank(rank, ranks).batches(stage)) for rank in range(ranks))
