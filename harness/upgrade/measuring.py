"""What a training step costs in two environments: exact counters first, then the clock; as differences, in words."""

import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.bench.measuring import DATASET, Measurer
from harness.bench.strategies import not_comparable
from harness.comparison.differences import FASTER, SLOWER, Difference, Key
from harness.comparison.result import Undecided
from harness.engine.engines import Engine
from harness.engine.trial import Trial
from harness.faults.fault import NONE
from harness.scenario import DEFAULT_FRAMEWORK, Scenario
from harness.upgrade import cost, counting, timing
from harness.upgrade.counting import Counted, CountedDifference
from harness.upgrade.environments import Provided
from harness.upgrade.sequential import IMPROVED, REGRESSED
from harness.upgrade.sides import SIDES
from harness.upgrade.timing import Timed, Timing

Tell = Callable[[str], None]


@dataclass
class CostComparison:
    """What it came to.

    Attributes:
        notes: what is to be told, and is no difference.
        undecided: trials that could be counted in the baseline, and not in the candidate.
    """

    counted: Counted | None = None
    timed: Timing | None = None
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return cost.to_json(self.counted, self.timed)


@dataclass(frozen=True)
class Measuring:
    """How two environments are measured.

    Attributes:
        packages: that scenarios come from.
    """

    sides: Sequence[Provided]
    packages: Iterable[str]
    seed: int
    tell: Tell

    def count(self, trials: Sequence[Trial], engines: Sequence[Engine], measured: CostComparison) -> None:
        """Add to `measured` what counters say of these trials, each of a scenario.

        Args:
            engines: of both sides, warm.
        """
        self.tell(f"counting what {len(trials)} scenarios do in a step")
        with tempfile.TemporaryDirectory() as folder:
            measurers = {
                name: Measurer(engine, Path(folder), self.seed) for name, engine in zip(SIDES, engines, strict=True)
            }
            measured.counted = counting.compare(trials, measurers)
        keys = {trial.scenario: key_of(trial) for trial in trials}
        noted: dict[tuple[str, float], list[CountedDifference]] = {}
        for each in measured.counted.differences:
            if each.effect == counting.NOTE:
                noted.setdefault((each.figure, each.candidate - each.baseline), []).append(each)
                continue
            told = f"{each.baseline:g}", f"{each.candidate:g}"
            what = f"{each.figure}, counted exactly"
            measured.differences.append(Difference(keys[each.scenario], each.effect, "cost", what, *told))
        measured.notes += [_in_short(alike) for alike in noted.values()]
        for scenario, left_out in measured.counted.left_out.items():
            if left_out.in_candidate_only:
                measured.undecided.append(Undecided(keys[scenario], str(left_out)))
            else:
                measured.notes.append(f"not counted: {scenario}: {left_out}")

    def time(self, trials: Sequence[Trial], budget_s: float, measured: CostComparison) -> None:
        """Add to `measured` what the clock says of these trials, each of a scenario; however it ends, what it came to.

        Raises:
            HarnessError: an environment cannot be timed any more.
        """
        self.tell(f"timing {len(trials)} scenarios in pairs, for {budget_s:g} s at most")
        baseline, candidate = self.sides
        if not baseline.interpreter:
            node, measured.timed = baseline.where.on_one_node(
                candidate.where, time_there, trials, budget_s, self.seed, tuple(self.packages)
            )
            measured.notes.append(f"all pairs were timed on the node {node}")
            _tell_times(trials, measured.timed, measured)
            return
        measured.timed = Timing.of(trials, budget_s, self.seed)
        try:
            _time(baseline.interpreter, candidate.interpreter, trials, measured.timed, self.packages, self.tell)
        finally:
            _tell_times(trials, measured.timed, measured)


def _in_short(alike: Sequence[CountedDifference]) -> str:
    """Of one figure that changed by as much in several scenarios."""
    first = alike[0]
    also = f", and by {first.candidate - first.baseline:+g} in {len(alike) - 1} more" if len(alike) > 1 else ""
    return f"{first.figure}: {first.baseline:g} → {first.candidate:g} in {first.scenario}{also}"


def time_there(
    baseline: str, candidate: str, trials: Sequence[Trial], budget_s: float, seed: int, packages: Sequence[str]
) -> Timing:
    """What the clock says of two interpreters, on the machine that this is called on."""
    timed = Timing.of(trials, budget_s, seed)
    _time(baseline, candidate, trials, timed, packages, _unheard)
    return timed


def _unheard(line: str) -> None:
    """Whoever asked is elsewhere."""


def _time(
    baseline: str, candidate: str, trials: Sequence[Trial], timed: Timing, packages: Iterable[str], tell: Tell
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sampling = timing.sampling(baseline, candidate, Path(folder), timed.seed, packages=packages)
        timing.fill(timed, trials, sampling, tell)


def _tell_times(trials: Sequence[Trial], timed: Timing, measured: CostComparison) -> None:
    keys = {trial.scenario: key_of(trial) for trial in trials}
    for each in timed.timed:
        told = ": ".join(filter(None, [each.verdict, each.reason]))
        ratio = _ratio(each)
        measured.notes.append(f"time of a step: {each.scenario}: {', '.join(filter(None, [told, ratio]))}")
        if each.verdict in (REGRESSED, IMPROVED):
            kind, how = (SLOWER, "longer") if each.verdict == REGRESSED else (FASTER, "less time")
            what = f"a training step takes {how}"
            measured.differences.append(Difference(keys[each.scenario], kind, "time", what, "1", ratio))


def can_be_measured(trial: Trial, scenario: Scenario) -> bool:
    """Whether a measuring process can train it, on batches of its own."""
    on_digits = trial.fault == NONE and trial.workload.startswith(f"{DATASET}/")
    return trial.framework == DEFAULT_FRAMEWORK and on_digits and scenario.fit is None and not not_comparable(scenario)


def key_of(trial: Trial) -> Key:
    return Key(trial.scenario, trial.workload, trial.fault, trial.placement)


def _ratio(timed: Timed) -> str:
    if timed.estimate is None:
        return ""
    value, low, high = (math.exp(limit) for limit in (timed.estimate.value, timed.estimate.low, timed.estimate.high))
    return f"{value:.3f} times the baseline's ({low:.3f} to {high:.3f}; {len(timed.pairs)} pairs)"
