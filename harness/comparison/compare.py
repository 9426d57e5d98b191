"""Compares one trial as it was seen in two environments: differences, each with a class and the lines that show it.

A difference has others in its wake: after an exception every hook is missing, and other weights give other figures.
What has no reason of its own stands with what it follows from, and is not told apart.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.comparison.baseline import COUNTED
from harness.comparison.beside import first_difference, grouped
from harness.comparison.course import Course
from harness.comparison.differences import (
    BIT,
    BREAKS,
    FASTER,
    GONE,
    NEW,
    NUMBER,
    ORDER,
    SLOWER,
    WARNS,
    Difference,
    unseen_by_the_clock,
)
from harness.comparison.observables import IN_BITS, Entry
from harness.comparison.seen import Seen
from harness.comparison.training import Training

# What these look at is compared hook by hook.
OF_HOOKS = ("hook", "bracket", "order", "epoch_end", "cell")
# Observables of which each entry is a name: one that is gone breaks who reads it, one that is new does not.
NAMES = ("logged_metrics", "progress_bar_metrics", "files")


def compare(a: Seen, b: Seen) -> list[Difference]:
    """How the candidate's trial differs from the baseline's; nothing if a user could not tell them apart."""
    return _Comparison(a, b).differences()


class _Comparison(Course, Training):
    """Both, and whatever else a user would notice."""

    def differences(self) -> list[Difference]:
        if self.a.history is None or self.b.history is None:
            figures = [*self.verdicts(), *self.moved()]
            return [*self._digests(), *figures, *self._findings(hooks=False), *self._cost()]
        found = [*self.endings()]
        if found:  # whatever else differs has come after it
            followers = [*self.changed, *self._verdicts_changed()]
            return [found[0].with_followers(followers), *(each for each in self._warnings() if each.a == "nothing")]
        hooks = [*self.hooks()]
        found += [*self.exceptions(), *hooks, *self.counters(), *self.of_training(), *self.process()]
        found += [*self._names(), *self._checkpoints(), *self._others(), *self._warnings()]
        found += [*self._untold(found), *self._findings(hooks=bool(hooks)), *self._cost()]
        return found

    def _names(self) -> Iterator[Difference]:
        for observable in NAMES:
            if observable not in self.changed:
                continue
            for gone, new in _gone_and_new(*self.both(observable)):
                if gone:
                    yield self.between(BREAKS, observable, f"`{gone.what}` {GONE}", gone, None)
                if new:
                    yield self.between(NUMBER, observable, f"`{new.what}` {NEW}", None, new)

    def _checkpoints(self) -> Iterator[Difference]:
        if "checkpoints" not in self.changed:
            return
        a, b = self.both("checkpoints")
        if Counter(entry.what for entry in a) == Counter(entry.what for entry in b):
            what = "checkpoints are written in another order"
            yield self.between(ORDER, "checkpoints", what, *first_difference(a, b))
        there = {entry.what for entry in self.both("files")[1]}
        for gone, new in _gone_and_new(a, b):
            kind = BREAKS if gone and not new and gone.what.split(" in ")[0] not in there else NUMBER
            what = "a checkpoint is no longer written" if kind == BREAKS else "checkpoints are written otherwise"
            yield self.between(kind, "checkpoints", what, gone, new)
            return

    def _others(self) -> Iterator[Difference]:
        yield from self.sequence("metric objects", NUMBER)
        if "Trainer" in self.changed:
            of_a, of_b = (grouped(entries) for entries in self.both("Trainer"))
            for name in {**of_a, **of_b}:
                one, other = first_difference(of_a.get(name, []), of_b.get(name, []))
                if one or other:
                    yield self.between(NUMBER, "Trainer", name, one, other)

    def _untold(self, found: Sequence[Difference]) -> Iterator[Difference]:
        """Whatever differs and has found no words."""
        told = {name for each in found for name in (each.observable, *each.follows)}
        told |= {"counters"} if "hooks" in told else set()
        for name in self.changed:
            if name not in told:
                what = f"{name} differ"
                yield self.between(NUMBER, name, what, *first_difference(*self.both(name)))

    def _warnings(self) -> Iterator[Difference]:
        if "warnings" not in self.changed or self.a.observed is None or self.b.observed is None:
            return
        a, b = self.both("warnings")
        in_a, in_b = ({entry.what for entry in entries} for entries in (a, b))
        for entry in a:
            if entry.what not in in_b:
                yield self.between(WARNS, "warnings", f"no longer warned: {entry.what}", entry, None)
        for entry in b:
            if entry.what not in in_a:
                yield self.between(WARNS, "warnings", f"warned: {entry.what}", None, entry)

    def _verdicts_changed(self) -> list[str]:
        return [
            f"{checker} {name}"
            for (checker, name), one in self.a.findings.items()
            if (checker, name) in self.b.findings and self.b.findings[checker, name].verdict != one.verdict
        ]

    def _findings(self, hooks: bool) -> Iterator[Difference]:
        """Verdicts on properties; `hooks`: those on hooks are told already, hook by hook."""
        for checker, name in dict.fromkeys((*self.a.findings, *self.b.findings)):
            one, other = self.a.finding(checker, name), self.b.finding(checker, name)
            if checker == "aggregate" or one is None or other is None or one.verdict == other.verdict:
                continue
            if "unknown" in (one.verdict, other.verdict):
                continue
            if hooks and checker in OF_HOOKS and other.verdict != "stale":
                continue
            yield self.verdict(checker, name, one, other)

    def _cost(self) -> Iterator[Difference]:
        """What the trial itself counted: calls inside steps, and bytes that the module held."""
        for name, count_a in self.a.counters.items():
            count_b = self.b.counters.get(name)
            if count_b is None or count_b == count_a or not name.startswith(COUNTED):
                continue
            calls = name.startswith("python_calls")
            if calls and unseen_by_the_clock(count_a, count_b):
                continue
            kind = SLOWER if count_b > count_a else FASTER
            stage = name.rsplit("_", 1)[-1]
            what = f"Python calls in an epoch's steps ({stage})" if calls else f"bytes that the module holds ({stage})"
            yield self.difference(kind, "cost", what, (f"{count_a:,}", f"{count_b:,}"))

    def _digests(self) -> Iterator[Difference]:
        """Where only the digests of one side were kept."""
        kinds = {
            "exceptions": BREAKS,
            "process": BREAKS,
            "hooks": ORDER,
            "warnings": WARNS,
            **dict.fromkeys(IN_BITS, BIT),
        }
        for name in self.changed:
            yield self.difference(kinds.get(name, NUMBER), name, f"{name} differ from those kept", ("", ""))


def _gone_and_new(a: Sequence[Entry], b: Sequence[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    """What is on one side only, one beside the other as far as they go."""
    left = Counter(entry.what for entry in a) - Counter(entry.what for entry in b)
    right = Counter(entry.what for entry in b) - Counter(entry.what for entry in a)
    gone = [next(entry for entry in a if entry.what == what) for what in left]
    new = [next(entry for entry in b if entry.what == what) for what in right]
    for index in range(max(len(gone), len(new))):
        yield gone[index] if index < len(gone) else None, new[index] if index < len(new) else None
