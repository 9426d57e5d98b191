"""The time of a training step in two environments: samples in pairs, interleaved, until `sequential` has seen enough.

A sample is a fresh process, forked from a warm parent of its environment, that trains for half a second after warm-up.
The two of a pair take turns on one core, an epoch of the one and an epoch of the other, in an order drawn from the
seed: what else a machine does for a while slows both down alike. What the pair says is the median of the ratios of
epochs that were next to each other. Rounds go over all scenarios that are undecided, with a pair for each. One scenario
of each round, each in its turn, gets a third sample, of the baseline again, on the other side of its first: the pairs
of baseline and baseline are the arm that says whether the machine is quiet enough. They come from a second warm parent,
so that what a parent hands on to all its children, such as where its memory lies, is part of what the arm sees.
"""

import math
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from statistics import median
from typing import Any

from harness.bench.measuring import BATCH, DATASET, Measured, Measurer
from harness.bench.statistics import Estimate
from harness.engine.local import DEFAULT_LIMIT_S, LocalEngine
from harness.engine.trial import Trial
from harness.errors import HarnessError
from harness.frameworks.turns import Seat
from harness.upgrade.ring import Ring
from harness.upgrade.sequential import FIRED, INCONCLUSIVE, LOOKS, MOST_PAIRS, QUIET, Decisions, Look
from harness.upgrade.sides import BASELINE, CANDIDATE

AGAIN = "again"
# Of an epoch: some ten to thirty milliseconds, in which a machine seldom changes.
BATCHES = 10
# A loop that logs nothing, one figure logged, and metric objects logged: each in every step.
SCENARIOS = ("strategies/bare_loop/control", "strategies/log_on_epoch/control", "strategies/logged_metric/migrated")

Tell = Callable[[str], None]
# Seconds per step of each timed epoch, of a process of each of these sides, which take turns in that order. Raises
# NotTimedError.
Sampler = Callable[[Sequence[str], Trial], Mapping[str, list[float]]]


class NotTimedError(HarnessError):
    """A process that was to be timed gave nothing."""


@dataclass(frozen=True)
class Pair:
    """Two processes that took turns: seconds per step of every timed epoch. One may have had a turn more."""

    first: list[float]
    second: list[float]
    first_came_first: bool

    @property
    def difference(self) -> float:
        return median(math.log(second / first) for first, second in zip(self.first, self.second, strict=False))

    def to_json(self, first: str, second: str) -> dict[str, Any]:
        return {first: self.first, second: self.second, f"{first}_first": self.first_came_first}


@dataclass(frozen=True)
class Timed:
    """What is said of one scenario, and what it is said from.

    Attributes:
        estimate: of ln(candidate / baseline) at the last look; None if there was none.
        reason: why it is inconclusive; empty if it is not.
    """

    scenario: str
    verdict: str
    reason: str
    estimate: Estimate | None
    looks: list[Look]
    pairs: list[Pair]


@dataclass
class Timing:
    """All that was timed.

    Attributes:
        stopped: why it ended before everything was decided; empty if it did not.
        not_timed: by scenario, why a process of it gave nothing.
    """

    seed: int
    budget_s: float
    decisions: Decisions
    pairs: dict[str, list[Pair]]
    arm: list[tuple[str, Pair]] = field(default_factory=list)
    stopped: str = ""
    not_timed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @staticmethod
    def of(trials: Sequence[Trial], budget_s: float, seed: int) -> "Timing":
        """Of trials, each of a scenario, of which none is timed yet; `budget_s` is what all of it may take."""
        scenarios = [trial.scenario for trial in trials]
        return Timing(seed, budget_s, Decisions(scenarios), {scenario: [] for scenario in scenarios})

    @property
    def too_noisy(self) -> str:
        """Why no time says anything; empty if they do."""
        arm = self.decisions.arm
        if not arm.looks or arm.verdict == QUIET:
            return ""
        if arm.verdict == FIRED:
            return "the machine is too noisy: the baseline differs from itself"
        return "the machine is too noisy: it would hide a difference of 5 %"

    @property
    def timed(self) -> list[Timed]:
        return [self._timed(scenario) for scenario in self.decisions.series]

    def _timed(self, scenario: str) -> Timed:
        series = self.decisions.series[scenario]
        verdict = INCONCLUSIVE if self.too_noisy else series.verdict
        estimate = series.looks[-1].estimate if series.looks else None
        return Timed(scenario, verdict, self._reason(scenario, verdict), estimate, series.looks, self.pairs[scenario])

    def _reason(self, scenario: str, verdict: str) -> str:
        if verdict != INCONCLUSIVE:
            return ""
        undecided = f"{MOST_PAIRS} pairs do not tell a difference of 2 % from one of 5 %"
        reasons = [self.too_noisy, self.not_timed.get(scenario, ""), self.stopped]
        return "; ".join(filter(None, reasons)) or undecided

    def to_json(self) -> dict[str, Any]:
        arm = self.decisions.arm
        return {
            "seed": self.seed,
            "budget_s": self.budget_s,
            "seconds": self.seconds,
            "workload": {"dataset": DATASET, "batch_size": BATCH, "batches": BATCHES},
            "looks": [{"pairs": pairs, "level": level} for pairs, level in LOOKS.items()],
            "stopped": self.stopped,
            "too_noisy": self.too_noisy,
            "scenarios": [
                {
                    "scenario": timed.scenario,
                    "verdict": timed.verdict,
                    "reason": timed.reason,
                    "estimate": _estimate(timed.estimate) if timed.estimate else None,
                    "looks": [_look(look) for look in timed.looks],
                    "pairs": [pair.to_json(BASELINE, CANDIDATE) for pair in timed.pairs],
                }
                for timed in self.timed
            ],
            "arm": {
                "looks": [_look(look) for look in arm.looks],
                "pairs": [{"scenario": scenario, **pair.to_json(BASELINE, AGAIN)} for scenario, pair in self.arm],
            },
        }


def _look(look: Look) -> dict[str, Any]:
    return {"pairs": look.pairs, "level": look.level, "verdict": look.verdict, **_estimate(look.estimate)}


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    """As ratios of seconds; None for a limit that there is not."""
    value, low, high = (
        math.exp(limit) if math.isfinite(limit) else None for limit in (estimate.value, estimate.low, estimate.high)
    )
    return {"ratio": value, "low": low, "high": high}


@contextmanager
def sampling(
    baseline: str,
    candidate: str,
    folder: Path,
    seed: int,
    limit_s: float = DEFAULT_LIMIT_S,
    packages: Iterable[str] = (),
) -> Iterator[Sampler]:
    """Warm parents of two interpreters, side by side, for samples that are taken one at a time.

    Args:
        packages: that scenarios come from, for an interpreter that may not find them by itself.
    """
    pythons = {BASELINE: baseline, AGAIN: baseline, CANDIDATE: candidate}
    with ExitStack() as stack:
        warm = {
            side: stack.enter_context(LocalEngine("lightning", python=python, limit_s=limit_s, packages=packages))
            for side, python in pythons.items()
        }
        for engine in warm.values():
            engine.environment()  # so that it has been imported before anything is timed
        yield sampler({side: Measurer(engine, folder, seed) for side, engine in warm.items()}, folder)


def sampler(measurers: Mapping[str, Measurer], folder: Path) -> Sampler:
    """Args:
    folder: for the pipes of processes that take turns.
    """
    cores = cycle(sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None])

    def sample(sides: Sequence[str], trial: Trial) -> Mapping[str, list[float]]:
        def one(side: str, seat: Seat) -> Measured:
            try:
                return next(measurers[side].measure([(trial, seat.measure, BATCHES)]))
            finally:
                ring.end()

        with ThreadPoolExecutor(len(sides)) as threads, Ring(folder, len(sides), next(cores)) as ring:
            measured = dict(zip(sides, threads.map(one, sides, ring.seats), strict=True))
        for side in sides:
            if failure := measured[side].failure:
                raise NotTimedError(f"it could not be timed in the {BASELINE if side == AGAIN else side}: {failure}")
        return {side: each.value["seconds_per_step"] for side, each in measured.items()}

    return sample


def fill(
    timing: Timing,
    trials: Sequence[Trial],
    sampling: AbstractContextManager[Sampler],
    tell: Tell,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Time one trial of each scenario in both environments, and note it in `timing`, however it ends.

    No samples are begun that would, taking as long as the longest of their scenario so far, end after the budget.

    Args:
        sampling: to be entered, which is within the budget.

    Raises:
        HarnessError: no sample can be taken any more.
    """
    begun = clock()
    try:
        with sampling as sample:
            _Rounds(timing, trials, sample, begun + timing.budget_s, tell, clock).run()
    except BaseException as error:
        timing.stopped = "it was interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or repr(error)
        raise
    finally:
        timing.seconds = clock() - begun


class _Rounds:
    def __init__(
        self,
        timing: Timing,
        trials: Sequence[Trial],
        sample: Sampler,
        ends: float,
        tell: Tell,
        clock: Callable[[], float],
    ) -> None:
        self._timing = timing
        self._trials = trials
        self._sample = sample
        self._ends = ends
        self._tell = tell
        self._clock = clock
        self._draw = random.Random(timing.seed)
        self._longest: dict[str, float] = {}  # of a scenario, seconds for each of those that took turns

    def run(self) -> None:
        decisions = self._timing.decisions
        for number in count(1):
            left = [trial for trial in self._trials if self._goes_on(trial.scenario)]
            if not left or number > MOST_PAIRS or decisions.arm.verdict == FIRED:
                return
            self._tell(f"timing: round {number} of at most {MOST_PAIRS}, {len(left)} scenarios")
            for trial in left:
                if not self._turn(trial, with_arm=trial is left[number % len(left)]):
                    self._timing.stopped = f"the budget of {self._timing.budget_s:g} s was over before it was decided"
                    return
            if number in LOOKS:
                decisions.look(number)

    def _goes_on(self, scenario: str) -> bool:
        return scenario in self._timing.decisions.undecided and scenario not in self._timing.not_timed

    def _turn(self, trial: Trial, with_arm: bool) -> bool:
        """Take a pair, or three samples; return whether there was time for them."""
        sides = [CANDIDATE, BASELINE, AGAIN] if with_arm else [CANDIDATE, BASELINE]
        if self._draw.random() < 0.5:
            sides.reverse()
        longest = self._longest.get(trial.scenario, max(self._longest.values(), default=0.0))
        if self._clock() + longest * len(sides) >= self._ends:
            return False
        begun = self._clock()
        try:
            samples = self._sample(sides, trial)
        except NotTimedError as error:
            self._timing.not_timed[trial.scenario] = str(error)
            return True
        each = (self._clock() - begun) / len(sides)
        self._longest[trial.scenario] = max(self._longest.get(trial.scenario, 0.0), each)
        self._note(trial.scenario, samples, sides)
        return True

    def _note(self, scenario: str, samples: Mapping[str, list[float]], sides: Sequence[str]) -> None:
        decisions = self._timing.decisions
        pair = Pair(samples[BASELINE], samples[CANDIDATE], sides.index(BASELINE) < sides.index(CANDIDATE))
        self._timing.pairs[scenario].append(pair)
        decisions.series[scenario].differences.append(pair.difference)
        if AGAIN in samples:
            pair = Pair(samples[BASELINE], samples[AGAIN], sides.index(BASELINE) < sides.index(AGAIN))
            self._timing.arm.append((scenario, pair))
            decisions.arm.differences.append(pair.difference)
