"""Compares one trial as it was seen in two environments: differences, each with a class and the lines that show it.

A difference has others in its wake: after an exception every hook is missing, and other weights give other figures.
What has no reason of its own stands with what it follows from, and is not told apart.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TypeVar

from harness.comparison import steps
from harness.comparison.baseline import COUNTED
from harness.comparison.differences import (
    BIT,
    BREAKS,
    FASTER,
    FIXED,
    NUMBER,
    ORDER,
    SLOWER,
    WARNS,
    Difference,
    unseen_by_the_clock,
)
from harness.comparison.observables import ENDED_WELL, ENDS, IN_BITS, NOTHING, Entries, Entry
from harness.comparison.seen import Judged, Seen
from harness.comparison.sequences import APPEARED, FEWER, MORE, MOVED, VANISHED, align, called
from harness.findings import EpochVerdict
from harness.history.reader import History
from harness.oracle.measured import Measured

T = TypeVar("T")

# Verdicts from the best to the worst; a bias that is predicted is no worse than a hook that is not called.
BETTER = ("exact", "ok", "fired", "biased", "stale", "violated", "silent", "wrong", "missing", "raised")
GOOD = ("exact", "ok", "fired")
LOST = ("missing", "raised", "silent")
# What these look at is compared hook by hook.
OF_HOOKS = ("hook", "bracket", "order", "epoch_end", "cell")

# What follows from other samples, draws or learning rates; figures follow from predictions.
CAUSES = ("samples", "random generators", "learning rates")
FIGURES = (
    "self.log", "logger", "progress bar", "callback_metrics", "callback_metrics at the end", "returned",
    "best checkpoint", "record",
)  # fmt: skip
# Of these, what is told in words follows from other numbers too.
TEXTS = ("best checkpoint", "record")
# Observables of which each entry is a name: one that is gone breaks who reads it, one that is new does not.
NAMES = ("logged_metrics", "progress_bar_metrics", "files")


def compare(a: Seen, b: Seen) -> list[Difference]:
    """How the candidate's trial differs from the baseline's; nothing if a user could not tell them apart."""
    return _Comparison(a, b).differences()


Pair = tuple[T, T]  # of the baseline, and of the candidate


class _Comparison:
    def __init__(self, a: Seen, b: Seen) -> None:
        self.a, self.b = a, b
        self.changed = a.changed(b)

    def differences(self) -> list[Difference]:
        if self.a.history is None or self.b.history is None:
            figures = [*self._verdicts(), *self._moved()]
            return [*self._digests(), *figures, *self._findings(hooks=False), *self._cost()]
        found = [*self._endings()]
        if found:  # whatever else differs has come after it
            followers = [*self.changed, *self._verdicts_changed()]
            return [found[0].with_followers(followers), *(each for each in self._warnings() if each.a == "nothing")]
        hooks = [*self._hooks()]
        found += [*self._exceptions(), *hooks, *self._counters(), *self._of_training(), *self._process()]
        found += [*self._names(), *self._checkpoints(), *self._others(), *self._warnings()]
        found += [*self._untold(found), *self._findings(hooks=bool(hooks)), *self._cost()]
        return found

    def _difference(
        self, kind: str, observable: str, what: str, told: Pair[str], lines: Pair[Sequence[int]] = ((), ())
    ) -> Difference:
        return Difference(self.a.key, kind, observable, what, *told, tuple(lines[0]), tuple(lines[1]))

    # How the trial ended

    def _endings(self) -> Iterator[Difference]:
        raised_a, raised_b = self.a.raised, self.b.raised
        if _class_of(raised_a) == _class_of(raised_b):
            one, other = _first_difference(self._ends(self.a), self._ends(self.b))
            if one or other:
                kind = FIXED if self.a.key.fault == "none" and self._all_is_well() else BREAKS
                yield self._between(kind, "process", "the trial's process ends otherwise", one, other)
            return
        lines = _lines(self.a, "trial raises "), _lines(self.b, "trial raises ")
        if not raised_a:
            kind, what = BREAKS, f"raises {_class_of(raised_b)}, and did not"
        elif raised_b:
            kind, what = BREAKS, f"raises {_class_of(raised_b)} in place of {_class_of(raised_a)}"
        elif self.a.key.fault != "none":
            kind, what = BREAKS, f"{_class_of(raised_a)} no longer reaches the caller"
        else:
            kind, what = FIXED if self._all_is_well() else BREAKS, f"no longer raises {_class_of(raised_a)}"
        yield self._difference(kind, "exceptions", what, (raised_a or "nothing", raised_b or "nothing"), lines)

    def _all_is_well(self) -> bool:
        """Whether the candidate's process ended as it should, its figures are those that the pattern's arithmetic
        gives, and its hooks run."""
        ended = [entry.what for entry in self._ends(self.b)] == [ENDED_WELL]
        return ended and all(each.verdict in (*GOOD, "biased") for each in self.b.findings.values())

    def _ends(self, side: Seen) -> list[Entry]:
        return [entry for entry in (side.observed or {})["process"] if entry.what.startswith(ENDS)]

    def _exceptions(self) -> Iterator[Difference]:
        """Those that do not decide how the trial ended, and other words of those that do."""
        a, b = self._both("exceptions")
        if [_class_of(entry.what) for entry in a] == [_class_of(entry.what) for entry in b]:
            for one, other in _pairs(a, b):
                if one.what != other.what:
                    what = f"other words: {_class_of(one.what)}"
                    yield self._between(WARNS, "exceptions", what, one, other)
                    return
        of_a, of_b = (Counter(_class_of(entry.what) for entry in entries) for entries in (a, b))
        for raised in dict.fromkeys((*of_a, *of_b)):
            if of_a[raised] != of_b[raised]:
                first = [next((each for each in side if _class_of(each.what) == raised), None) for side in (a, b)]
                how = "" if not of_a[raised] else "no longer: " if not of_b[raised] else "another number of times: "
                yield self._between(BREAKS, "exceptions", f"{how}{raised}", *first)

    # Hooks

    def _hooks(self) -> Iterator[Difference]:
        classes = {VANISHED: BREAKS, FEWER: BREAKS, MORE: BREAKS, APPEARED: ORDER, MOVED: ORDER}
        if "hooks" not in self.changed:
            return
        for change in align(*self._both("hooks")).changes:
            how = change.how
            counted = ((change.count_a, change.a), (change.count_b, change.b))
            told_a, told_b = (": ".join(filter(None, (f"{count} times", shown))) for count, shown in counted)
            told = (change.a, change.b) if how == MOVED else (told_a, told_b)
            what = f"{called(change.hook)} {'runs elsewhere in the order' if how == MOVED else how}"
            yield self._difference(classes[how], "hooks", what, told, (change.lines_a, change.lines_b))

    def _counters(self) -> Iterator[Difference]:
        """Stage, epoch, step and batch as the same hook saw them, and what it was given."""
        if "counters" not in self.changed:
            return
        pairs = align(*self._both("hooks")).pairs
        for index, name in enumerate(("the stage", "current_epoch", "global_step", "the batch", "the argument")):
            part = slice(index, index + 1)
            differ = [(one, other) for one, other in pairs if one.stamp[part] != other.stamp[part]]
            if differ:
                one, other = differ[0]
                hooks = sorted({entry.what for entry, _ in differ})
                shown = ", ".join(called(hook) for hook in hooks[:3]) + (", …" if len(hooks) > 3 else "")
                what = f"{name}, as seen by {shown}"
                told_a, told_b = (
                    f"{', '.join(map(str, entry.stamp[part]))} at {called(entry.what)} ({entry.place})"
                    for entry in (one, other)
                )
                yield self._difference(NUMBER, "counters", what, (told_a, told_b), ([one.line], [other.line]))

    # What training did

    def _of_training(self) -> Iterator[Difference]:
        """Samples, draws, learning rates, weights, and the figures that follow.

        Two things do not follow from other numbers: a verdict, since truth is over what that very trial gave; and under
        which names figures are reported, and where, unless there are more steps, or fewer.
        """
        own = [*self._samples(), *self._loaders()]
        own += [*self._sequence("random generators", NUMBER), *self._sequence("learning rates", NUMBER)]
        diverged = [name for name in self.changed if name in ("predictions", "weights")]
        figures = [*self._verdicts(), *([] if diverged else self._moved())]
        reports = [*self._reports()]
        if not diverged:
            told = {each.observable for each in reports}
            follow = [name for name in FIGURES if name in self.changed and name not in told]
            yield from (*own, *(each.with_followers(follow) for each in figures), *reports, *self._values(figures))
            return
        writes = () if self._as_many("samples") else ("logger writes",)
        followers = [*diverged, *(name for name in (*FIGURES, *writes) if name in self.changed)]
        if any(each.observable in CAUSES for each in own):
            own = [each.with_followers(followers) if each.observable in CAUSES else each for each in own]
        else:
            own.append(self._divergence(diverged, reports).with_followers(followers))
        yield from (*own, *figures)
        if self._as_many("samples"):
            yield from (each for each in reports if each.observable not in TEXTS)

    def _samples(self) -> Iterator[Difference]:
        if "samples" not in self.changed:
            return
        a, b = self._both("samples")
        one, other = _first_difference(a, b)
        if steps.given_the_same(*self._histories()):
            yield self._between(ORDER, "samples", "samples come in another order", one, other)
        else:
            yield self._between(NUMBER, "samples", "steps are given other samples", one, other)

    def _loaders(self) -> Iterator[Difference]:
        if "loaders" not in self.changed:
            return
        a, b = (Counter(entry.what for entry in entries) for entries in self._both("loaders"))
        for name in sorted(a | b):
            if a[name] != b[name]:
                what = f"{name} is iterated over another number of times"
                yield self._difference(NUMBER, "loaders", what, (str(a[name]), str(b[name])))
        if a == b:
            yield from self._sequence("loaders", ORDER)

    def _divergence(self, diverged: list[str], reports: list[Difference]) -> Difference:
        """Weights or predictions differ though samples, draws and learning rates do not: by no more than rounding, if
        every figure that has a bound is within both runs' bounds, every other within `_rounding`, predictions are
        alike, and some of all that has come from the weights that differ."""
        numbers = [*self._moved(), *self._values(()), *(each for each in reports if each.observable in TEXTS)]
        alike = self._weights_are_seen() and steps.predicted_alike(*self._histories())
        kind = BIT if alike and all(each.kind == BIT for each in numbers) else NUMBER
        what = f"{' and '.join(diverged)} differ"
        return self._between(kind, diverged[0], what, *_first_difference(*self._both(diverged[0])))

    def _weights_are_seen(self) -> bool:
        """Whether a prediction, or a number given to `self.log`, has come from the weights that differ: after they were
        noted, or before, where it differs too. A figure that is told later may have been there already."""
        one, other = _first_difference(*self._both("weights"))
        noted = math.inf if one is None or other is None else one.line
        predictions = [pair for pair in _pairs(*self._both("predictions")) if pair[0].what != NOTHING]
        given = [pair for pair in _pairs(*self._both("self.log")) if pair[0].numbers]
        return any(a.line > noted or a.compared != b.compared for a, b in (*predictions, *given))

    # Figures

    def _aggregates(self) -> Iterator[tuple[str, Judged, Judged]]:
        for (checker, name), one in self.a.findings.items():
            other = self.b.findings.get((checker, name))
            if checker == "aggregate" and other:
                yield name, one, other

    def _verdicts(self) -> Iterator[Difference]:
        """On figures; that of a pattern which is right on some batches may be exact or biased with the numbers."""
        either = {"exact", "biased"} if {*self.changed} & {"predictions", "weights"} else set()
        for name, one, other in self._aggregates():
            verdicts = {one.verdict, other.verdict}
            if len(verdicts) == 2 and "unknown" not in verdicts and verdicts != either:
                yield self._verdict("aggregate", name, one, other)

    def _moved(self) -> Iterator[Difference]:
        """Figures whose verdict is the same, where they are first further apart than both bounds, or else differ."""
        for name, one, other in self._aggregates():
            if one.verdict != other.verdict:
                continue
            moved = [(kind, *each) for each in _passes(one, other) if (kind := _moved(*each[1:]))]
            for kind, of, epoch_a, epoch_b in sorted(moved, key=lambda each: each[0] != NUMBER)[:1]:
                what = f"`{name}` moved" if kind == NUMBER else f"`{name}` moved within its error bounds"
                place = f"in epoch {of[0]}" + (f", pass {of[1] + 1}" if of[1] else "")
                told = f"{epoch_a.observed!r} {place}", f"{epoch_b.observed!r} {place}"
                yield self._difference(kind, "figure", what, told, (epoch_a.evidence, epoch_b.evidence))

    def _verdict(self, checker: str, name: str, one: Judged, other: Judged) -> Difference:
        kind = _grave(one.verdict, other.verdict)
        of = "figure" if checker == "aggregate" else "finding"
        what = f"`{name}`" if checker == "aggregate" else f"{checker}: {name}"
        how = f"{what}: {one.verdict} → {other.verdict}"
        return self._difference(kind, of, how, (_told(one), _told(other)), (_evidence(one), _evidence(other)))

    def _reports(self) -> Iterator[Difference]:
        """What was reported: under which name, how often, at which step. Other figures make other writes."""
        writes = "logger writes" in self.changed
        for observable, name, a, b in self._by_name():
            follow = ["logger writes"] if writes and observable == "logger" else []
            if not a or not b:
                kind, how = (BREAKS, "is no longer there") if a else (NUMBER, "is new")
                found = self._between(kind, observable, f"`{name}` {how}", a[0] if a else None, b[0] if b else None)
                yield found.with_followers(follow)
            elif [entry.what for entry in a] != [entry.what for entry in b]:
                how = "another number of times" if len(a) != len(b) else "otherwise"
                found = self._between(NUMBER, observable, f"`{name}` is told {how}", *_first_difference(a, b))
                yield found.with_followers(follow)
        if writes and self._same_names("logger"):
            how = "in other company" if self._as_many("logger writes") else "in another number of writes"
            what = f"figures are told to the logger {how}"
            yield self._between(ORDER, "logger writes", what, *_first_difference(*self._both("logger writes")))

    def _values(self, figures: Sequence[Difference]) -> Iterator[Difference]:
        """The numbers that were reported, but for those of figures that are told already: all, where that counts as
        grave, and else what has moved as the figure has."""
        grave, mild = (
            {_plain(each.what.split("`")[1]) for each in figures if (each.kind in (BREAKS, NUMBER)) == wanted}
            for wanted in (True, False)
        )
        for observable, name, a, b in self._by_name():
            if [entry.what for entry in a] != [entry.what for entry in b]:
                continue
            figure = next((name for entry in a for name, _ in entry.numbers), name)
            if figure in grave:
                continue
            differ = [(one, other) for one, other in _pairs(a, b) if one.compared != other.compared]
            if figure in mild:
                differ = [pair for pair in differ if not self._moved_with(figure, *pair)]
            for one, other in differ[:1]:
                kind = BIT if all(_alike(*pair, self._rounding) for pair in differ) else NUMBER
                yield self._between(kind, observable, f"`{name}` differs", one, other)

    def _moved_with(self, figure: str, a: Entry, b: Entry) -> bool:
        """Whether numbers are what the figure was and is, within its bounds, in one of its passes."""
        passes = [each for name, *sides in self._aggregates() if _plain(name) == figure for each in _passes(*sides)]
        return any(
            all(_admits(of_a, value) for _, value in a.numbers) and all(_admits(of_b, value) for _, value in b.numbers)
            for _, of_a, of_b in passes
        )

    def _by_name(self) -> Iterator[tuple[str, str, list[Entry], list[Entry]]]:
        """What was reported of each figure, where anything about figures differs."""
        for observable in FIGURES:
            if observable in self.changed:
                of_a, of_b = (_grouped(entries) for entries in self._both(observable))
                yield from ((observable, name, of_a.get(name, []), of_b.get(name, [])) for name in {**of_a, **of_b})

    def _same_names(self, observable: str) -> bool:
        a, b = self._both(observable)
        return Counter(entry.what for entry in a) == Counter(entry.what for entry in b)

    def _as_many(self, observable: str) -> bool:
        a, b = self._both(observable)
        return len(a) == len(b)

    @cached_property
    def _rounding(self) -> float:
        """How far numbers of which no truth is known may lie apart: they are over the longest pass, for all we know."""
        return max(steps.rounding(steps.longest_pass(side), steps.unit_roundoff(side)) for side in self._histories())

    # Everything else

    def _names(self) -> Iterator[Difference]:
        for observable in NAMES:
            if observable not in self.changed:
                continue
            for gone, new in _gone_and_new(*self._both(observable)):
                if gone:
                    yield self._between(BREAKS, observable, f"`{gone.what}` is no longer there", gone, None)
                if new:
                    yield self._between(NUMBER, observable, f"`{new.what}` is new", None, new)

    def _checkpoints(self) -> Iterator[Difference]:
        if "checkpoints" not in self.changed:
            return
        a, b = self._both("checkpoints")
        if Counter(entry.what for entry in a) == Counter(entry.what for entry in b):
            what = "checkpoints are written in another order"
            yield self._between(ORDER, "checkpoints", what, *_first_difference(a, b))
        there = {entry.what for entry in self._both("files")[1]}
        for gone, new in _gone_and_new(a, b):
            kind = BREAKS if gone and not new and gone.what.split(" in ")[0] not in there else NUMBER
            what = "a checkpoint is no longer written" if kind == BREAKS else "checkpoints are written otherwise"
            yield self._between(kind, "checkpoints", what, gone, new)
            return

    def _others(self) -> Iterator[Difference]:
        yield from self._sequence("metric objects", NUMBER)
        if "Trainer" in self.changed:
            of_a, of_b = (_grouped(entries) for entries in self._both("Trainer"))
            for name in {**of_a, **of_b}:
                one, other = _first_difference(of_a.get(name, []), of_b.get(name, []))
                if one or other:
                    yield self._between(NUMBER, "Trainer", name, one, other)

    def _process(self) -> Iterator[Difference]:
        """What it left behind."""
        if "process" in self.changed:
            what = "the trial leaves processes or files behind"
            yield self._between(BREAKS, "process", what, *_first_difference(*self._both("process")))

    def _untold(self, found: Sequence[Difference]) -> Iterator[Difference]:
        """Whatever differs and has found no words."""
        told = {name for each in found for name in (each.observable, *each.follows)}
        told |= {"counters"} if "hooks" in told else set()
        for name in self.changed:
            if name not in told:
                what = f"{name} differ"
                yield self._between(NUMBER, name, what, *_first_difference(*self._both(name)))

    def _sequence(self, observable: str, kind: str) -> Iterator[Difference]:
        if observable in self.changed:
            one, other = _first_difference(*self._both(observable))
            yield self._between(kind, observable, f"{observable} differ", one, other)

    def _warnings(self) -> Iterator[Difference]:
        if "warnings" not in self.changed or self.a.observed is None or self.b.observed is None:
            return
        a, b = self._both("warnings")
        in_a, in_b = ({entry.what for entry in entries} for entries in (a, b))
        for entry in a:
            if entry.what not in in_b:
                yield self._between(WARNS, "warnings", f"no longer warned: {entry.what}", entry, None)
        for entry in b:
            if entry.what not in in_a:
                yield self._between(WARNS, "warnings", f"warned: {entry.what}", None, entry)

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
            yield self._verdict(checker, name, one, other)

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
            yield self._difference(kind, "cost", what, (f"{count_a:,}", f"{count_b:,}"))

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
            yield self._difference(kinds.get(name, NUMBER), name, f"{name} differ from those kept", ("", ""))

    def _histories(self) -> tuple[History, History]:
        assert self.a.history is not None
        assert self.b.history is not None
        return self.a.history, self.b.history

    def _both(self, observable: str) -> tuple[Entries, Entries]:
        assert self.a.observed is not None
        assert self.b.observed is not None
        return self.a.observed[observable], self.b.observed[observable]

    def _between(self, kind: str, observable: str, what: str, a: Entry | None, b: Entry | None) -> Difference:
        lines = ([a.line] if a else [], [b.line] if b else [])
        return self._difference(kind, observable, what, (_in_words(a), _in_words(b)), lines)


def _grave(a: str, b: str) -> str:
    """The class of a verdict that changed; `unknown` is none that could be compared."""
    if BETTER.index(b) < BETTER.index(a):
        return ORDER if (a, b) == ("silent", "fired") else FIXED
    return BREAKS if b in (*LOST, "violated") else NUMBER


def _moved(a: EpochVerdict, b: EpochVerdict) -> str:
    """`NUMBER` for figures of the same pass that are further apart than both bounds, `BIT` if they differ, else ''."""
    if a.observed is None or b.observed is None:
        return ""
    if a.observed == b.observed or (math.isnan(a.observed) and math.isnan(b.observed)):
        return ""
    within = abs(a.observed - b.observed) <= (a.bound or 0.0) + (b.bound or 0.0)
    return BIT if within and math.isfinite(a.observed) and math.isfinite(b.observed) else NUMBER


def _alike(a: Entry, b: Entry, rounding: float) -> bool:
    """Whether numbers differ by no more than that, relative to the larger."""
    for (_, one), (_, other) in zip(a.numbers, b.numbers, strict=False):
        same = one == other or (math.isnan(one) and math.isnan(other))
        if not same and not abs(one - other) <= rounding * max(abs(one), abs(other)):
            return False
    return True


def _admits(of: EpochVerdict, value: float) -> bool:
    return of.observed is not None and Measured(of.observed, of.bound or 0.0).admits(value)


def _plain(figure: str) -> str:
    """Its name, without where it was read."""
    return figure.split(" (")[0]


def _passes(a: Judged, b: Judged) -> Iterator[tuple[tuple[int, int], EpochVerdict, EpochVerdict]]:
    for of in sorted(a.figures.keys() & b.figures.keys()):
        yield of, a.figures[of], b.figures[of]


def _first_difference(a: Sequence[Entry], b: Sequence[Entry]) -> tuple[Entry | None, Entry | None]:
    for one, other in _pairs(a, b):
        if one.compared != other.compared:
            return one, other
    return (a[len(b)], None) if len(a) > len(b) else (None, b[len(a)]) if len(b) > len(a) else (None, None)


def _gone_and_new(a: Sequence[Entry], b: Sequence[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    """What is on one side only, one beside the other as far as they go."""
    left = Counter(entry.what for entry in a) - Counter(entry.what for entry in b)
    right = Counter(entry.what for entry in b) - Counter(entry.what for entry in a)
    gone = [next(entry for entry in a if entry.what == what) for what in left]
    new = [next(entry for entry in b if entry.what == what) for what in right]
    for index in range(max(len(gone), len(new))):
        yield gone[index] if index < len(gone) else None, new[index] if index < len(new) else None


def _pairs(a: Sequence[Entry], b: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    yield from zip(a, b, strict=False)


def _grouped(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """By their names, without the value or the place that follows."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.what.split(" at step ")[0].split(": ")[0], []).append(entry)
    return found


def _in_words(entry: Entry | None) -> str:
    if entry is None:
        return "nothing"
    values = ", ".join(f"{value!r}" for _, value in entry.numbers)
    told = entry.what + (f" = {values}" if values else "")
    told = told if len(told) <= 300 else told[:297] + "…"
    return f"{told} ({entry.place})" if entry.place else told


def _class_of(raised: str) -> str:
    return raised.split(":")[0]


def _told(judged: Judged) -> str:
    return f"{judged.verdict}: {judged.message}" if judged.message else judged.verdict


def _evidence(judged: Judged) -> tuple[int, ...]:
    return next((each.evidence for each in judged.figures.values() if each.verdict == judged.verdict), ())


def _lines(side: Seen, beginning: str) -> list[int]:
    entries = side.observed["exceptions"] if side.observed else ()
    return [entry.line for entry in entries if entry.what.startswith(beginning)]
