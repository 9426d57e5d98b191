"""What a training step costs in two environments, by exact counters: with the same Python, the same on every machine.

What differs between the environments is counted once more in both, and what differs between two processes of the same
environment is unstable, and no difference.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from harness.bench.costs import COUNTERS, Counter
from harness.bench.measuring import BATCH, DATASET, Measured, Measurer
from harness.comparison.differences import FASTER, SLOWER, unseen_by_the_clock
from harness.engine.trial import Trial
from harness.upgrade.sides import BASELINE, CANDIDATE, SIDES

NOTE = "note"
BATCHES = 8
# Memory is measured on two sizes of an epoch: what is kept of every batch grows with them.
MEMORY_BATCHES = (8, 16)
BYTES = ("live_bytes", "held_bytes")
# What is measured, and with how many batches, each in a process of its own.
PASSES = {**dict.fromkeys(COUNTERS, (BATCHES,)), "memory": MEMORY_BATCHES}

Figures = dict[str, float]  # by counter and part, such as "python_calls, common step"
Request = tuple[Trial, str]  # the second is one of `PASSES`


@dataclass(frozen=True)
class CountedDifference:
    """One figure of one scenario that is another in the candidate."""

    scenario: str
    figure: str
    baseline: float
    candidate: float

    @property
    def effect(self) -> str:
        """`slower` or `faster`; `note` for calls of Python functions that the clock would not call a difference."""
        calls = self.figure.startswith("python_calls")
        if calls and unseen_by_the_clock(self.baseline, self.candidate):
            return NOTE
        return SLOWER if self.candidate > self.baseline else FASTER

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "effect": self.effect}


@dataclass(frozen=True)
class LeftOut:
    """Why nothing was counted of a scenario.

    Attributes:
        sides: that it could not be counted in.
        why: what happened there, in the first of them.
    """

    sides: tuple[str, ...]
    why: str

    @property
    def in_candidate_only(self) -> bool:
        return self.sides == (CANDIDATE,)

    def __str__(self) -> str:
        where = "either side" if len(self.sides) == len(SIDES) else f"the {self.sides[0]}"
        return f"it could not be counted in {where}: {self.why}"


@dataclass
class Counted:
    """What was counted.

    Attributes:
        figures: by scenario and side.
        unstable: by scenario, the figures that were not the same in two processes of one side.
        left_out: by scenario.
    """

    figures: dict[str, dict[str, Figures]] = field(default_factory=dict)
    unstable: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, LeftOut] = field(default_factory=dict)

    @property
    def differences(self) -> list[CountedDifference]:
        return [
            CountedDifference(scenario, figure, sides[BASELINE][figure], sides[CANDIDATE][figure])
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
            "left_out": [
                {"scenario": scenario, "sides": list(left_out.sides), "reason": str(left_out)}
                for scenario, left_out in self.left_out.items()
            ],
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
    first = _count([(trial, measure) for trial in trials for measure in PASSES], measurers)
    again = []
    for trial in trials:
        if left_out := _left_out(trial, first):
            counted.left_out[trial.scenario] = left_out
            continue
        figures: dict[str, Figures] = {side: {} for side in SIDES}
        for measure in PASSES:
            one, other = (first[side][trial, measure].figures for side in SIDES)
            figures[BASELINE] |= one
            figures[CANDIDATE] |= other
            again += [(trial, measure)] if one != other else []
        counted.figures[trial.scenario] = figures
    second = _count(again, measurers)
    for trial, measure in again:
        unstable = {
            name
            for side in SIDES
            for name in differing(first[side][trial, measure].figures, second[side][trial, measure].figures)
        }
        if unstable:
            counted.unstable.setdefault(trial.scenario, []).extend(sorted(unstable))
    return counted


@dataclass(frozen=True)
class _Found:
    """Figures, or why there are none."""

    figures: Figures
    failure: str = ""


def _left_out(trial: Trial, found: Mapping[str, Mapping[Request, _Found]]) -> LeftOut | None:
    """None if everything of a trial could be measured on both sides."""
    failures = {side: [found[side][trial, measure].failure for measure in PASSES] for side in SIDES}
    failed = {side: next(filter(None, each)) for side, each in failures.items() if any(each)}
    return LeftOut(tuple(failed), next(iter(failed.values()))) if failed else None


def _count(requests: Sequence[Request], measurers: Mapping[str, Measurer]) -> dict[str, dict[Request, _Found]]:
    """By side."""
    processes = [(trial, measure, batches) for trial, measure in requests for batches in PASSES[measure]]

    def one(side: str) -> dict[Request, _Found]:
        measured = measurers[side].measure(processes)
        return {
            (trial, measure): _found(measure, [next(measured) for _ in PASSES[measure]]) for trial, measure in requests
        }

    with ThreadPoolExecutor(len(SIDES)) as threads:
        return dict(zip(SIDES, threads.map(one, SIDES), strict=True))


def _found(measure: str, measured: Sequence[Measured]) -> _Found:
    if failed := [each.failure for each in measured if each.failure]:
        return _Found({}, failed[0])
    values = [each.value for each in measured]
    return _Found(_of_memory(*values) if measure == "memory" else _of_counter(measure, *values))


def _of_counter(name: str, value: dict[str, Any]) -> Figures:
    counter = Counter.of(value["steps"], value["epoch"])
    parts = {"median step": counter.median_step, "common step": counter.common_step, "epoch": counter.epoch}
    return {f"{name}, {part}": count for part, count in parts.items() if count is not None}


def _of_memory(short: dict[str, Any], long: dict[str, Any]) -> Figures:
    few, many = MEMORY_BATCHES
    figures = {}
    for name in BYTES:
        figures[f"{name}, still there after the epoch"] = long["retained"][name]
        # Of all that there was, also before the epoch: what is let go only when the next epoch starts grows, too.
        most = [measured["before"][name] + measured["peak"][name] for measured in (short, long)]
        figures[f"{name}, at most, for each batch"] = (most[1] - most[0]) / (many - few)
    return figures
