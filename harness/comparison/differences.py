"""A difference between two environments: what it is, how grave, and what shows it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.findings import in_words

BREAKS, NUMBER, ORDER, SLOWER = "breaks", "changes a number", "changes order", "slower"
WARNS, BIT, FASTER, FIXED = "warns", "only a bit", "faster", "fixed"
CLASSES = (BREAKS, NUMBER, ORDER, SLOWER, WARNS, BIT, FASTER, FIXED)  # the gravest first
REGRESSIONS = (BREAKS, NUMBER, ORDER, SLOWER)  # what counts as one, unless told otherwise
GONE, NEW = "is no longer there", "is new"  # of what has a name


def unseen_by_the_clock(calls_a: float, calls_b: float) -> bool:
    """Whether neither number of Python calls is more than 1.02 times the other: ln 1.02 is what timing takes for equal.

    Exact for whole numbers; from no calls to some is always seen.
    """
    return 50 * max(calls_a, calls_b) <= 51 * min(calls_a, calls_b)


@dataclass(frozen=True)
class Key:
    """What makes trials of two environments the same trial."""

    scenario: str
    workload: str
    fault: str
    placement: str

    @property
    def on(self) -> str:
        return in_words(self.workload, self.fault)

    def __str__(self) -> str:
        return f"{self.scenario} on {self.on}"


@dataclass(frozen=True)
class Difference:
    """One thing that is different in the candidate.

    Attributes:
        kind: one of `CLASSES`.
        observable: of which (`harness.comparison.observables`), or `figure`, `finding`, `python calls`, …
        what: in words, the same for the same change in other trials.
        a, b: what was seen, in the baseline and in the candidate.
        lines_a, lines_b: of the two histories, counted from 1.
        follows: observables that differ too and have no other reason than this, as far as can be told.
        accepted: why it is not to be counted; empty if it is.
    """

    key: Key
    kind: str
    observable: str
    what: str
    a: str
    b: str
    lines_a: tuple[int, ...] = ()
    lines_b: tuple[int, ...] = ()
    follows: tuple[str, ...] = ()
    accepted: str = ""

    @property
    def subject(self) -> tuple[str, str]:
        """What it is a difference of, however that differs: the observable, and of one that has names, the name."""
        if self.observable == "finding":
            return self.observable, self.what.rsplit(": ", 1)[0]
        if self.observable in ("predictions", "weights"):
            return "weights", ""
        quoted = self.what.split("`")
        named = quoted[1] if len(quoted) > 2 else self.what if self.observable in ("warnings", "cost") else ""
        return self.observable, named

    @property
    def aspect(self) -> str:
        """Which of its subject's aspects differs that may be the same from run to run where the value is not: whether
        it is there at all, or its verdict; else empty."""
        return "presence" if self.what.endswith((GONE, NEW)) else "verdict" if "→" in self.what else ""

    def with_followers(self, names: Collection[str]) -> "Difference":
        return replace(self, follows=tuple(sorted({*self.follows, *names} - {self.observable})))

    def to_json(self) -> dict[str, Any]:
        told = vars(self)
        lists = {name: list(told[name]) for name in ("lines_a", "lines_b", "follows")}
        return {**told, "key": vars(self.key), **lists}


@dataclass(frozen=True)
class Group:
    """The same change in several trials, of which the first is shown."""

    differences: tuple[Difference, ...]

    @property
    def first(self) -> Difference:
        return self.differences[0]

    @property
    def elsewhere(self) -> int:
        return len(self.differences) - 1

    @property
    def counts(self) -> bool:
        return not self.first.accepted


def grouped(differences: Sequence[Difference]) -> list[Group]:
    """The gravest first, then what changed in most trials; within a group, the trial without a fault first."""
    found: dict[tuple[str, ...], list[Difference]] = {}
    for each in differences:
        found.setdefault((each.kind, each.observable, each.what, each.accepted), []).append(each)
    groups = [Group(tuple(sorted(group, key=_plainest))) for group in found.values()]
    return sorted(groups, key=lambda group: (CLASSES.index(group.first.kind), -len(group.differences)))


def _plainest(difference: Difference) -> tuple[Any, ...]:
    key = difference.key
    return key.fault != "none", key.scenario, key.workload, key.fault
