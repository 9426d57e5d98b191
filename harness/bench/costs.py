"""What a strategy costs: exact counters, memory, and time in pairs with the bare loop."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median, mode
from typing import Any

from harness.bench.statistics import Estimate, paired

CONFIDENCE = 0.99
# A difference that the comparison of versions calls `same`: noise that hides it is too much.
UNSEEN = math.log(1.05)

COUNTERS = ("python_calls", "operations", "host_syncs")
MEMORY = ("live_bytes", "held_bytes", "held_values", "objects")


Count = float | None  # an integer, unless a step is a part of what was counted


@dataclass(frozen=True)
class Counter:
    """One exact counter: of the median and the most common step, and of a whole epoch with its end; each None where
    it cannot be counted."""

    median_step: Count
    common_step: Count
    epoch: Count

    @staticmethod
    def of(steps: list[float], epoch: Count) -> "Counter":
        # The upper median of an even number of steps, so that it is one of them.
        return Counter(sorted(steps)[len(steps) // 2], mode(steps), epoch) if steps else Counter(None, None, epoch)

    def over(self, other: "Counter") -> "Counter":
        return Counter(
            _over(self.median_step, other.median_step),
            _over(self.common_step, other.common_step),
            _over(self.epoch, other.epoch),
        )


def _over(one: Count, other: Count) -> Count:
    return None if one is None or other is None else one - other


@dataclass(frozen=True)
class Memory:
    """Of one epoch of so many batches, beyond what was alive when it started."""

    batches: int
    peak: Mapping[str, int]
    retained: Mapping[str, int]
    peak_rss_bytes: int

    def over(self, other: "Memory") -> "Memory":
        return Memory(
            self.batches,
            {name: self.peak[name] - other.peak[name] for name in MEMORY},
            {name: self.retained[name] - other.retained[name] for name in MEMORY},
            self.peak_rss_bytes - other.peak_rss_bytes,
        )


@dataclass(frozen=True)
class Pair:
    """Seconds per step of every timed epoch, in two processes that ran next to each other."""

    bare: list[float]
    strategy: list[float]
    bare_first: bool

    @property
    def difference(self) -> float:
        return math.log(median(self.strategy) / median(self.bare))


@dataclass
class Cost:
    """What was measured of one scenario so far.

    Attributes:
        unstable: measures that were not the same integers in two processes.
        pairs: with the bare loop; the bare loop's own are with itself.
    """

    scenario: str
    framework: str
    counters: dict[str, Counter] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)
    unstable: list[str] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)

    @property
    def estimate(self) -> Estimate | None:
        """Of ln(seconds / seconds of the bare loop); None if it was not timed."""
        return paired([pair.difference for pair in self.pairs], CONFIDENCE) if self.pairs else None

    @property
    def too_noisy(self) -> bool:
        """For the bare loop against itself: a difference is seen where there is none, or one of 5 % would be
        hidden."""
        estimate = self.estimate
        if estimate is None or math.isinf(estimate.low):
            return False
        return estimate.excludes_zero or (estimate.high - estimate.low) / 2 > UNSEEN


def growth(memory: list[Memory], name: str) -> float | None:
    """By how much the peak grows with every batch, if it is the same from each size to the next; else None."""
    slopes = {
        (after.peak[name] - before.peak[name]) / (after.batches - before.batches) for before, after in pairwise(memory)
    }
    return slopes.pop() if len(slopes) == 1 else None


@dataclass(frozen=True)
class Compared:
    """A cost beside that of its framework's bare loop and, in Lightning, of one figure logged with `on_epoch=True`, as
    far as measured."""

    cost: Cost
    bare: Cost
    logged: Cost | None

    @property
    def counters(self) -> dict[str, Counter]:
        return {name: counter.over(self.bare.counters[name]) for name, counter in self.cost.counters.items()}

    @property
    def memory(self) -> list[Memory]:
        of_bare = {memory.batches: memory for memory in self.bare.memory}
        return [memory.over(of_bare[memory.batches]) for memory in self.cost.memory if memory.batches in of_bare]

    @property
    def grows(self) -> dict[str, float | None]:
        memory = self.memory
        return {name: growth(memory, name) for name in MEMORY} if len(memory) > 1 else {}

    @property
    def ratio(self) -> tuple[float, float, float] | None:
        """Seconds of a step over those of a bare one, with the limits of its interval."""
        estimate = self.cost.estimate
        return None if estimate is None else (math.exp(estimate.value), math.exp(estimate.low), math.exp(estimate.high))

    @property
    def extra_s(self) -> float | None:
        """Seconds that a step takes longer, on the machine that it was measured on."""
        if self.ratio is None:
            return None
        return (self.ratio[0] - 1) * median(median(pair.bare) for pair in self.cost.pairs)

    @property
    def share_of_log(self) -> float | None:
        """This cost over that of one logged figure; None unless that could be told from nothing."""
        logged = self.logged.estimate if self.logged else None
        if self.ratio is None or logged is None or not logged.excludes_zero:
            return None
        return (self.ratio[0] - 1) / (math.exp(logged.value) - 1)

    def to_json(self) -> dict[str, Any]:
        cost = self.cost
        return {
            "scenario": cost.scenario,
            "framework": cost.framework,
            "bare": self.bare.scenario,
            "counters": {name: vars(counter) for name, counter in cost.counters.items()},
            "counters_over_bare": {name: vars(counter) for name, counter in self.counters.items()},
            "memory": [vars(memory) for memory in cost.memory],
            "memory_over_bare": [vars(memory) for memory in self.memory],
            "peak_growth_per_batch": self.grows,
            "unstable": cost.unstable,
            "time": self._time(),
        }

    def _time(self) -> dict[str, Any] | None:
        if self.ratio is None:
            return None
        value, low, high = (limit if math.isfinite(limit) else None for limit in self.ratio)
        return {
            "ratio": value,
            "low": low if low else None,  # a limit of minus infinity, before exp
            "high": high,
            "extra_s_per_step": self.extra_s,
            "share_of_log": self.share_of_log,
            "pairs": [vars(pair) for pair in self.cost.pairs],
        }
