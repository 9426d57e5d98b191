"""What a training step costs in two environments, by exact counters: the same integers on every machine.

What differs between the environments is counted once more in both, and what differs between two processes of the same
environment is unstable, and no difference.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from harness.bench.costs import COUNTERS, Counter
from harness.bench.measuring import BATCH, DATASET, Measured, Measurer
from harness.engine.trial import Trial

SIDES = BASELINE, CANDIDATE = "baseline", "candidate"
SLOWER, FASTER, NOTE = "slower", "faster", "note"
# Calls of Python functions that come to less than what the clock calls a difference are no more than noted.
MARGINS = {"python_calls": 0.02}
BATCHES = 8
# Memory is measured on two sizes of an epoch: what is kept of every batch grows with them.
MEMORY_BATCHES = (8, 16)
BYTES = ("live_bytes", "held_bytes")
PASSES = (*((counter, BATCHES) for counter in COUNTERS), *(("memory", batches) for batches in MEMORY_BATCHES))

Figures = dict[str, float]  # by counter and part, such as "python_calls, common step"


@dataclass(frozen=True)
class Difference:
    """One figure of one scenario that is another in the candidate."""

    scenario: str
    figure: str
    baseline: float
    candidate: float

    @property
    def effect(self) -> str:
        """`slower` or `faster`; `note` where it is within the counter's margin."""
        margin = MARGINS.get(self.figure.split(",")[0], 0.0) * self.baseline
        grown = self.candidate - self.baseline
        if abs(grown) <= margin:
            return NOTE
        return SLOWER if grown > 0 else FASTER

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "effect": self.effect}


@dataclass
class Counted:
    """What was counted.

    Attributes:
        figures: by scenario and side.
        unstable: by scenario, the figures that were not the same in two processes of one side.
        left_out: by scenario, why nothing was counted.
    """

    figures: dict[str, dict[str, Figures]] = field(default_factory=dict)
    unstable: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def differences(self) -> list[Difference]:
        return [
            Difference(scenario, figure, sides[BASELINE][figure], sides[CANDIDATE][figure])
            for scenario, sides in self.figures.items()
            for figure in differing(sides[BASELINE], sides[CANDIDATE])
            if figure in sides[CANDIDATE] and figure not in self.unstable.get(scenario, [])
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "workload": {
                "dataset": DATASET,
                "batch_size": BATCH,
                "batches": BATCHES,
                "memory_batches": list(MEMORY_BATCHES),
            },
            "counted": [
                {"scenario": scenario, **sides, "unstable": self.unstable.get(scenario, [])}
                for scenario, sides in self.figures.items()
            ],
            "differences": [difference.to_json() for difference in self.differences],
            "left_out": [{"scenario": scenario, "reason": reason} for scenario, reason in self.left_out.items()],
        }


def differing(one: Figures, other: Figures) -> list[str]:
    """The names of the figures of the first that are others, or missing, in the second."""
    return [name for name in one if one[name] != other.get(name)]


def compare(trials: Sequence[Trial], measurers: Mapping[str, Measurer]) -> Counted:
    """Count one trial of each scenario in both environments, side by side.

    Args:
        measurers: by side.
    """
    counted = Counted()
    first = _count(trials, measurers)
    again = []
    for trial in trials:
        figures, failed = _divided({side: first[side][trial.scenario] for side in SIDES})
        if failed:
            where = "either side" if len(failed) == len(SIDES) else f"the {next(iter(failed))}"
            counted.left_out[trial.scenario] = f"it could not be counted in {where}: {next(iter(failed.values()))}"
            continue
        counted.figures[trial.scenario] = figures
        if differing(figures[BASELINE], figures[CANDIDATE]):
            again.append(trial)
    second = _count(again, measurers)
    for trial in again:
        once = counted.figures[trial.scenario]
        twice, _ = _divided({side: second[side][trial.scenario] for side in SIDES})
        unstable = {name for side in SIDES for name in differing(once[side], twice.get(side, {}))}
        if unstable:
            counted.unstable[trial.scenario] = sorted(unstable)
    return counted


def _divided(sides: Mapping[str, Figures | str]) -> tuple[dict[str, Figures], dict[str, str]]:
    """The figures of those sides that have some, and why the others have none."""
    figures = {side: found for side, found in sides.items() if not isinstance(found, str)}
    return figures, {side: found for side, found in sides.items() if isinstance(found, str)}


def _count(trials: Sequence[Trial], measurers: Mapping[str, Measurer]) -> dict[str, dict[str, Figures | str]]:
    """By side and scenario: figures, or why there are none."""
    requests = [(trial, measure, batches) for trial in trials for measure, batches in PASSES]

    def one(side: str) -> dict[str, Figures | str]:
        measured = measurers[side].measure(requests)
        return {trial.scenario: _figures([next(measured) for _ in PASSES]) for trial in trials}

    with ThreadPoolExecutor(len(SIDES)) as threads:
        return dict(zip(SIDES, threads.map(one, SIDES), strict=True))


def _figures(found: Sequence[Measured]) -> Figures | str:
    if failed := [measured.failure for measured in found if measured.failure]:
        return failed[0]
    figures: Figures = {}
    for counter, measured in zip(COUNTERS, found, strict=False):
        figures |= _of_counter(counter, measured.value)
    short, long = (measured.value for measured in found[len(COUNTERS) :])
    return figures | dict(_of_memory(short, long))


def _of_counter(name: str, value: dict[str, Any]) -> Figures:
    counter = Counter.of(value["steps"], value["epoch"])
    parts = {
        "median step": counter.median_step,
        "common step": counter.common_step,
        "epoch": counter.epoch,
    }
    return {f"{name}, {part}": count for part, count in parts.items() if count is not None}


def _of_memory(short: dict[str, Any], long: dict[str, Any]) -> Iterator[tuple[str, float]]:
    few, many = MEMORY_BATCHES
    for name in BYTES:
        yield f"{name}, still there after the epoch", long["retained"][name]
        yield f"{name}, at most, for each batch", (long["peak"][name] - short["peak"][name]) / (many - few)
