"""What follows from trainings that were timed side by side: agreement, overlap, overhead, and what disturbed them."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median, quantiles
from typing import Any

from harness.bench.costs import UNSEEN
from harness.bench.schedule import (
    Overhead,
    break_even_epochs,
    break_even_validation_s,
    completions,
)
from harness.frameworks.overlap_load import Kind

REFERENCE = "parallel_validation/sequential/recommended"
FLOOR = "parallel_validation/no_validation/control"
# Of callbacks, once training is over: what they wait for then is the last validation.
AT_THE_END = frozenset({"on_train_end", "on_fit_end", "teardown", "on_exception"})
# A share of what could be gained that is too small to matter: what is called `same` in other comparisons.
RESOLUTION = math.expm1(UNSEEN)
UNIT = 2.0**-24  # the unit roundoff of float32
# How figures and weights may agree with sequential validation's, from the best.
BITWISE, WEIGHTS, OTHER_STEPS = "bitwise", "weights bitwise", "bitwise, at other steps"
ROUNDED, ROUNDED_OTHER_STEPS = "but for rounding", "but for rounding, at other steps"
AGREEMENTS = (BITWISE, WEIGHTS, OTHER_STEPS, ROUNDED, ROUNDED_OTHER_STEPS)
DOCUMENTED = "parallel_validation/spawned_process/migrated"
PERSISTENT = "parallel_validation/persistent_worker/recommended"


@dataclass(frozen=True)
class Sample:
    """One training of a strategy, as `harness.frameworks.overlap_measuring` told of it."""

    round: int
    told: dict[str, Any]
    left_behind: int = 0

    @property
    def wall_s(self) -> float:
        return float(self.told["wall_s"])

    @property
    def foreign_s(self) -> float:
        """Seconds that cores worked for others meanwhile."""
        return max(0.0, float(self.told["busy_s"] - self.told["cpu_s"]))

    @property
    def delay_s(self) -> float:
        """By how much others can have delayed this training at most.

        Whoever waits for a core does so while it is at work for somebody else: `foreign_s` at most. And a scheduler
        that is fair gives a process that can run half of its core at least, if one other wants it: so it waits no
        longer than it works itself.
        """
        return float(min(self.foreign_s, self.told["cpu_s"]))

    def hooks_s(self, epoch: int) -> float:
        """In the strategy's own callbacks during an epoch, its end included; −1 is before the first."""
        return math.fsum(
            each["seconds"] for each in self.told["hooks"] if each["epoch"] == epoch and each["hook"] not in AT_THE_END
        )

    @property
    def hooks_of_all_epochs_s(self) -> dict[str, float]:
        """By hook."""
        hooks = self.told["hooks"]
        names = dict.fromkeys(each["hook"] for each in hooks)
        return {name: math.fsum(each["seconds"] for each in hooks if each["hook"] == name) for name in names}

    @cached_property
    def hand_off_s(self) -> float | None:
        """In an epoch that is not the first; None if there is none."""
        later = [self.hooks_s(epoch) for epoch in range(1, len(self.told["train"]))]
        return median(later) if later else None

    @property
    def start_up_s(self) -> float | None:
        """In callbacks up to the end of the first epoch, more than in one of the others."""
        if self.hand_off_s is None:
            return None
        return max(0.0, self.hooks_s(-1) + self.hooks_s(0) - self.hand_off_s)

    @property
    def tear_down_s(self) -> float:
        """From the last batch validated, or from the end of training if that is later, to the end of the script."""
        ends: list[float] = [each["end_s"] for each in self.told["validation"]]
        return self.wall_s - max(float(self.told["over_s"]), *ends, 0.0)

    @property
    def latency_s(self) -> float:
        """From the end of an epoch, or from when its worker was free if that is later, to its first batch validated."""
        waits, free = [], dict[int, float]()
        for each in sorted(self.told["validation"], key=lambda each: each["start_s"]):
            if 0 <= each["epoch"] < len(self.told["train"]):
                ready = max(self.told["train"][each["epoch"]][1], free.get(each["worker"], 0.0))
                waits.append(max(0.0, each["start_s"] - ready))
            free[each["worker"]] = each["end_s"]
        return median(waits) if waits else 0.0

    @property
    def workers(self) -> int:
        """How many processes or threads validated."""
        return len({each["worker"] for each in self.told["validation"]})

    def results_s(self) -> list[float]:
        """When each epoch's validation was over; infinity if it never was."""
        ends = {each["epoch"]: each["end_s"] for each in self.told["validation"]}
        return [ends.get(epoch, math.inf) for epoch in range(len(self.told["train"]))]


def agreement(sample: Sample, reference: Sample, batches: int, validates: bool = True) -> tuple[str, str]:
    """How its figures agree with sequential validation's, in words; and why they do not, empty if they do.

    Weights must be the same bits at the end of every epoch. So must figures, each at its epoch and step. A strategy
    that averages by itself, in float64, may differ by what Lightning's average in float32 rounds: a sum of n terms,
    each a loss times its number of samples, over their number. Each term, each addition and the quotient round once by
    a share of u = 2**−24 at most, so for terms of one sign the quotient lies within (n + 2) u / (1 − (n + 2) u) of the
    exact one, and what is told in float32 within one u more (Higham, Accuracy and Stability of Numerical Algorithms,
    3.1). One that tells no step, or another, is told so.
    """
    if sample.told["weights"] != reference.told["weights"]:
        pairs = enumerate(zip(sample.told["weights"], reference.told["weights"], strict=False))
        first = next((epoch for epoch, (one, other) in pairs if one != other), None)
        return "", "it trains for another number of epochs" if first is None else f"its weights differ in epoch {first}"
    if not validates:
        return WEIGHTS, ""
    theirs, ours = reference.told["figures"], sample.told["figures"]
    if ours == theirs:
        return BITWISE, ""
    if len(ours) != len(theirs):
        return "", f"it reports {len(ours)} figures, and sequential validation {len(theirs)}"
    one, other = (sorted(each["val_loss"] for each in figures) for figures in (ours, theirs))
    if one == other:
        return OTHER_STEPS, ""
    share = (batches + 3) * UNIT / (1 - (batches + 3) * UNIT)
    if all(abs(a - b) <= share * abs(b) for a, b in zip(one, other, strict=True)):
        return ROUNDED_OTHER_STEPS if _places(ours) != _places(theirs) else ROUNDED, ""
    return "", "its figures are not sequential validation's"


def _places(figures: Sequence[dict[str, Any]]) -> Counter[tuple[Any, Any]]:
    return Counter((each["epoch"], each["step"]) for each in figures)


@dataclass(frozen=True)
class Round:
    """A strategy's training beside the sequential one and the one without validation of the same round."""

    sample: Sample
    reference: Sample
    floor: Sample
    computes: bool

    @property
    def validation_s(self) -> float:
        """Of an epoch: what sequential validation takes more than none."""
        return max(0.0, (self.reference.wall_s - self.floor.wall_s) / len(self.floor.told["train"]))

    @property
    def train_s(self) -> float:
        return self.floor.wall_s / len(self.floor.told["train"])

    @property
    def workers(self) -> int:
        """That can work beside training: where the load computes, each needs a core of its own."""
        cores = int(self.sample.told["cores"])
        seen = self.sample.workers
        return max(1, min(seen, cores - 1) if self.computes else seen)

    def ideal_s(self, workers: int) -> float:
        """The bound of any schedule: training as fast as without validation, every epoch validated by one of `workers`
        as fast as in sequence, and an end that takes no longer than without."""
        ends: list[float] = [end for _, end in self.floor.told["train"]]
        return self.floor.wall_s - ends[-1] + max(ends[-1], completions(ends, self.validation_s, workers)[-1])

    @property
    def speed_up(self) -> float:
        return self.reference.wall_s / self.sample.wall_s

    @property
    def bound(self) -> float:
        """Of the speed-up."""
        return self.reference.wall_s / self.ideal_s(self.workers)

    @property
    def efficiency(self) -> float | None:
        """(sequential − parallel) / (sequential − ideal); None if there is nothing to gain."""
        gain = self.reference.wall_s - self.ideal_s(self.workers)
        return (self.reference.wall_s - self.sample.wall_s) / gain if gain > 0 else None

    @property
    def disturbed(self) -> bool:
        """Whether others can have moved the efficiency by more than `RESOLUTION`: each of the three times that it is
        made of may be off by its `delay_s`."""
        gain = self.reference.wall_s - self.ideal_s(1)
        return max(each.delay_s for each in (self.sample, self.reference, self.floor)) > RESOLUTION * gain

    @property
    def break_even_epochs(self) -> int | None:
        """The first epoch from which on every figure is there before sequential validation's; None if never."""
        pairs = list(zip(self.sample.results_s(), self.reference.results_s(), strict=False))
        earlier = [ours < theirs for ours, theirs in pairs]
        late = [epoch for epoch, is_earlier in enumerate(earlier) if not is_earlier]
        first = late[-1] + 1 if late else 0
        return first + 1 if first < len(earlier) else None

    def to_json(self) -> dict[str, Any]:
        sample = self.sample
        return {
            "round": sample.round,
            "disturbed": self.disturbed,
            "foreign_cores": sample.foreign_s / sample.wall_s,
            "wall_s": sample.wall_s,
            "cpu_s": sample.told["cpu_s"],
            "hooks_s": sample.hooks_of_all_epochs_s,
            "hand_off_s": sample.hand_off_s,
            "start_up_s": sample.start_up_s,
            "tear_down_s": sample.tear_down_s,
            "latency_s": sample.latency_s,
            "workers": sample.workers,
            "left_behind": sample.left_behind,
            "sequential_s": self.reference.wall_s,
            "no_validation_s": self.floor.wall_s,
            "ideal_s": self.ideal_s(self.workers),
            "speed_up": self.speed_up,
            "bound": self.bound,
            "efficiency": self.efficiency,
            "break_even_epochs": self.break_even_epochs,
        }


def spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """Median and quartiles of those that there are; None if there are none."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    low, middle, high = quantiles(there, n=4, method="inclusive") if len(there) > 1 else there * 3
    return {"median": middle, "low": low, "high": high}


SPREAD = ("wall_s", "cpu_s", "hand_off_s", "start_up_s", "tear_down_s", "speed_up", "efficiency")


@dataclass
class Cell:
    """Trainings on one load, all strategies in turn.

    Attributes:
        kind: of the load.
        ratio: that validating an epoch was to take, of what training it takes.
        weights_bytes: of the weights, besides the network's few.
        only: the strategies that are measured, if not all.
        samples: by strategy.
    """

    kind: Kind
    ratio: float
    epochs: int
    batches: int = 0
    validation_batches: int = 0
    train_s: float = 0.0
    validation_s: float = 0.0
    weights_bytes: int = 0
    only: tuple[str, ...] = ()
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        return bool(self.rounds(FLOOR))

    def rounds(self, scenario: str) -> list[Round]:
        """Those in which the strategy and both that it is compared with were measured."""
        own, reference, floor = (
            {sample.round: sample for sample in self.samples.get(each, ())} for each in (scenario, REFERENCE, FLOOR)
        )
        return [
            Round(own[number], reference[number], floor[number], self.kind != "sleep")
            for number in sorted(own.keys() & reference.keys() & floor.keys())
        ]

    def row(self, scenario: str) -> dict[str, Any]:
        """What is told of a strategy: no numbers if it does not give sequential validation's figures."""
        rounds = self.rounds(scenario)
        told = [agreement(each.sample, each.reference, self.validation_batches, scenario != FLOOR) for each in rounds]
        reason = next((why for _, why in told if why), "")
        row: dict[str, Any] = {
            "scenario": scenario,
            "agreement": "" if reason or not told else max((how for how, _ in told), key=AGREEMENTS.index),
            "reason": reason or ("" if rounds else "it was not measured in a whole round"),
            "rounds": [],
            "numbers": None,
        }
        if rounds and not reason:
            row["rounds"] = [each.to_json() for each in rounds]
            row["numbers"] = self._numbers(rounds)
        return row

    def _numbers(self, rounds: Sequence[Round]) -> dict[str, Any]:
        each_round = [each.to_json() for each in rounds]
        middle = sorted(rounds, key=lambda each: each.sample.wall_s)[len(rounds) // 2]
        overhead = Overhead(
            *(median(each[name] or 0.0 for each in each_round)
              for name in ("start_up_s", "hand_off_s", "latency_s", "tear_down_s"))
        )  # fmt: skip
        seen = middle.workers
        one_each = seen >= self.epochs > 1
        return {
            **{name: spread([each[name] for each in each_round]) for name in SPREAD},
            "workers": seen,
            "bound": median(each["bound"] for each in each_round),
            "ideal_s": median(each["ideal_s"] for each in each_round),
            "break_even": {
                "predicted_epochs": break_even_epochs(
                    middle.train_s, middle.validation_s, None if one_each else seen, overhead
                ),
                "measured_epochs": middle.break_even_epochs,
                "predicted_validation_s": break_even_validation_s(self.epochs, middle.train_s, seen, overhead),
            },
            "timeline": {
                "wall_s": middle.sample.wall_s,
                "train": middle.sample.told["train"],
                "validation": middle.sample.told["validation"],
            },
        }

    def _hand_off_ratios(self) -> list[float]:
        """By round, what the document's way takes in hooks, over what a persistent worker does."""
        documented, persistent = (
            {each.sample.round: each.sample.hand_off_s for each in self.rounds(scenario)}
            for scenario in (DOCUMENTED, PERSISTENT)
        )
        pairs = [(taken, persistent.get(number)) for number, taken in documented.items()]
        return [one / other for one, other in pairs if one is not None and other]

    def to_json(self) -> dict[str, Any]:
        floors = self.rounds(FLOOR)
        everything = [sample for samples in self.samples.values() for sample in samples]
        disturbed = {each.sample.round for scenario in self.samples for each in self.rounds(scenario) if each.disturbed}
        return {
            "load": self.kind,
            "ratio": self.ratio,
            "epochs": self.epochs,
            "batches": self.batches,
            "validation_batches": self.validation_batches,
            "weights_bytes": self.weights_bytes,
            "train_s": median(each.train_s for each in floors) if floors else None,
            "validation_s": median(each.validation_s for each in floors) if floors else None,
            "rounds": len(floors),
            "disturbed_rounds": sorted(disturbed),
            "free_cores": median(free_cores(each) for each in everything) if everything else None,
            "hand_off_ratio": spread(self._hand_off_ratios()),
            "rows": [self.row(scenario) for scenario in sorted(self.samples, key=_references_first)],
        }


def free_cores(sample: Sample) -> float:
    """On average, while it trained: those that others left to it."""
    return float(sample.told["cores"]) - sample.foreign_s / sample.wall_s


def _references_first(scenario: str) -> tuple[bool, bool, str]:
    return scenario != REFERENCE, scenario != FLOOR, scenario
