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
        if scenario.framework == "torch":
            return f"only Lightning and Keras run on other ranks than a scenario declares, which are {scenario.ranks}"
        if fault != NONE:
            return f"its faults are aimed at the {scenario.ranks} ranks that it declares"
        if scenario.record or scenario.resume_from:
            return f"its record and checkpoints are those of the {scenario.ranks} ranks that it declares"
    if ranks == 1:
        return ""
    if scenario.fit:
        return "a script of its own runs on one rank"
    if scenario.framework == "keras":
        return too_many(workload, ranks, "keras") or _unlike_replicas(workload, ranks)
    if scenario.data:
        return "data of a scenario's own are not shared by ranks, so far"
    if library.recipe(workload).schedule.stopped_at:
        return "a training that is stopped and resumed runs on one rank, so far"
    return too_many(workload, ranks) or _uneven(workload, ranks)


def too_many(workload: str, ranks: int, framework: str = "lightning") -> str:
    """Why a workload cannot be shared by so many; empty if it can."""
    if framework == "keras":
        first = min(_first_batches(workload))
        return f"{workload} has a first batch of {first}, for {ranks} replicas" if first < ranks else ""
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


def _unlike_replicas(workload: str, ranks: int) -> str:
    """Replicas of Keras share every batch. In a `MirroredStrategy` it builds a model, and what that was compiled with,
    from the mean over replicas of what each has of the first batch, which takes as many samples on each
    (`keras/src/backend/tensorflow/trainer.py`, `_maybe_symbolic_build`)."""
    if library.recipe(workload).sharing != DEALT:
        return "replicas of Keras share every batch, whatever a sampler does"
    for first in _first_batches(workload):
        if first % ranks:
            return f"the first batch of {workload} has {first} samples; Keras needs as many on each of {ranks} replicas"
    return ""


@cache
def _first_batches(workload: str) -> tuple[int, ...]:
    """How many samples the first batch of each stage has."""
    built = library.build(workload, seed=0)
    return tuple(len(built.batches(stage)[0]) for stage in ("train", "validation") if built.batches(stage))


@cache
def _loaders(workload: str, stage: str) -> tuple[int, ...]:
    """How many batches each of a stage's loaders has; whatever the seed."""
    return tuple(len(loader) for loader in library.build(workload, seed=0).loaders_of(stage))


@cache
def _batches(workload: str, stage: str, ranks: int) -> tuple[int, ...]:
    """How many each rank goes over."""
    built = library.build(workload, seed=0)
    return tuple(len(built.of_rank(rank, ranks).batches(stage)) for rank in range(ranks))
