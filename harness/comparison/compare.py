"""Compares one trial as it was seen in two environments: differences, each with a class and the lines that show it.

A difference has others in its wake: after an exception every hook is missing, and other weights give other figures.
What has no reason of its own stands with what it follows from, and is not told apart.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from harness.comparison.differences import BIT, BREAKS, FASTER, FIXED, NUMBER, ORDER, SLOWER, WARNS, Difference
from harness.comparison.observables import IN_BITS, Entries, Entry
from harness.comparison.seen import Judged, Seen
from harness.comparison.sequences import APPEARED, FEWER, MORE, MOVED, VANISHED, align, called
from harness.findings import EpochVerdict
from harness.oracle.measured import FLOAT32, gamma

T = TypeVar("T")

# Verdicts from the best to the worst; a bias that is predicted is no worse than a hook that is not called.
BETTER = ("exact", "ok", "fired", "biased", "stale", "violated", "silent", "wrong", "missing", "raised")
GOOD = ("exact", "ok", "fired")
LOST = ("missing", "raised", "silent")
# What these look at is compared hook by hook.
OF_HOOKS = ("hook", "bracket", "order", "epoch_end", "cell")
# That many Python calls more are as much as the clock is allowed to see: ln 1.02.
CALLS_MARGIN = math.log(1.02)

# What follows from other samples, draws or learning rates; figures follow from predictions.
CAUSES = ("samples", "learning rates", "predictions", "weights")
FIGURES = (
    "self.log", "logger", "progress bar", "callback_metrics", "callback_metrics at the end", "best checkpoint",
    "record",
)  # fmt: skip
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
            figures = self._figures(diverged=True)
            return [*self._digests(), *figures, *self._findings(hooks=False), *self._cost()]
        found = [*self._endings()]
        if found:  # whatever else differs has come after it
            return [found[0].with_followers([*self.changed, *self._verdicts_changed()]), *self._warnings()]
        hooks = [*self._hooks()]
        found += [*self._exceptions(), *hooks, *self._counters(), *self._of_training(), *self._process()]
        found += [*self._names(), *self._checkpoints(), *self._others(), *self._warnings()]
        return [*found, *self._findings(hooks=bool(hooks)), *self._cost()]

    def _difference(
        self, kind: str, observable: str, what: str, told: Pair[str], lines: Pair[Sequence[int]] = ((), ())
    ) -> Difference:
        return Difference(self.a.key, kind, observable, what, *told, tuple(lines[0]), tuple(lines[1]))

    # How the trial ended

    def _endings(self) -> Iterator[Difference]:
        raised_a, raised_b = self.a.raised, self.b.raised
        if raised_a == raised_b or (raised_a and raised_b and _class_of(raised_a) == _class_of(raised_b)):
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
        """Whether the candidate's figures are those that the pattern's arithmetic gives, and its hooks run."""
        return all(each.verdict in (*GOOD, "biased") for each in self.b.findings.values())

    def _exceptions(self) -> Iterator[Difference]:
        """Those that do not decide how the trial ended, and other words of those that do."""
        a, b = self._both("exceptions")
        if [_class_of(entry.what) for entry in a] == [_class_of(entry.what) for entry in b]:
            for one, other in _pairs(a, b):
                if one.what != other.what:
                    what = f"other words: {_class_of(one.what)}"
                    yield self._between(WARNS, "exceptions", what, one, other)
                    return
        for gone, new in _gone_and_new(a, b):
            what = _class_of(new.what) if new else f"no longer: {_class_of(gone.what) if gone else ''}"
            yield self._between(BREAKS, "exceptions", what, gone, new)
            return

    # Hooks

    def _hooks(self) -> Iterator[Difference]:
        classes = {VANISHED: BREAKS, FEWER: BREAKS, MORE: BREAKS, APPEARED: ORDER, MOVED: ORDER}
        if "hooks" not in self.changed:
            return
        changes = align(*self._both("hooks")).changes
        for change in changes:
            how = change.how
            if how == MOVED and any(other.how != MOVED for other in changes):
                continue  # it is where it was, among others that are not
            counts = "" if how == MOVED else f"{change.count_a} times: "
            of_b = "" if how == MOVED else f"{change.count_b} times: "
            what = f"{called(change.hook)} {'runs elsewhere in the order' if how == MOVED else how}"
            told, lines = (counts + change.a, of_b + change.b), (change.lines_a, change.lines_b)
            yield self._difference(classes[how], "hooks", what, told, lines)
            if how == MOVED:
                return  # the others have moved past this one

    def _counters(self) -> Iterator[Difference]:
        """Stage, epoch, step and batch as the same hook saw them."""
        if "counters" not in self.changed:
            return
        pairs = align(*self._both("hooks")).pairs
        for index, name in enumerate(("the stage", "current_epoch", "global_step", "the batch")):
            differ = [(one, other) for one, other in pairs if one.stamp[index] != other.stamp[index]]
            if differ:
                one, other = differ[0]
                hooks = sorted({entry.what for entry, _ in differ})
                shown = ", ".join(called(hook) for hook in hooks[:3]) + (", …" if len(hooks) > 3 else "")
                what = f"{name}, as seen by {shown}"
                told_a, told_b = (
                    f"{entry.stamp[index]} at {called(entry.what)} ({entry.place})" for entry in (one, other)
                )
                yield self._difference(NUMBER, "counters", what, (told_a, told_b), ([one.line], [other.line]))

    # What training did

    def _of_training(self) -> Iterator[Difference]:
        """Samples, draws, learning rates, weights, and the figures that follow."""
        own = [*self._samples(), *self._loaders(), *self._draws(), *self._sequence("learning rates", NUMBER)]
        diverged = [name for name in self.changed if name in ("predictions", "weights")]
        causes = {each.observable for each in own} & set(CAUSES)
        moved = [*self._figures(diverged=bool(diverged))]
        if diverged and causes:
            followers = [*diverged, *(name for name in FIGURES if name in self.changed)]
            own = [each.with_followers(followers) if each.observable in causes else each for each in own]
        elif diverged:
            own.append(self._divergence(diverged))
        yield from own
        yield from (each for each in moved if not diverged or each.kind == FIXED)
        if not diverged:
            yield from self._reports()

    def _samples(self) -> Iterator[Difference]:
        if "samples" not in self.changed:
            return
        a, b = self._both("samples")
        one, other = _first_difference(a, b)
        same = Counter(entry.what for entry in a) == Counter(entry.what for entry in b)
        if same:
            yield self._between(ORDER, "samples", "batches come in another order", one, other)
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

    def _draws(self) -> Iterator[Difference]:
        yield from self._sequence("random generators", NUMBER)

    def _divergence(self, diverged: list[str]) -> Difference:
        """Weights or predictions differ though samples and learning rates do not."""
        moved = [name for name in FIGURES if name in self.changed]
        one, other = _first_difference(*self._both(diverged[0]))
        kind = BIT if self._agree_but_for_rounding() else NUMBER
        what = f"{' and '.join(diverged)} differ"
        return self._between(kind, diverged[0], what, one, other).with_followers([*diverged, *moved])

    def _agree_but_for_rounding(self) -> bool:
        """Whether every figure that has a bound is within both runs' bounds, and every other within `_rounding`."""
        return not any(each.kind == NUMBER for each in self._figures(diverged=True)) and not any(
            each.kind != BIT for each in self._reports()
        )

    # Figures

    def _figures(self, diverged: bool) -> Iterator[Difference]:
        """Verdicts on aggregates, and figures that moved by more than both bounds."""
        for (checker, name), one in self.a.findings.items():
            other = self.b.findings.get((checker, name))
            if checker != "aggregate" or other is None:
                continue
            if one.verdict != other.verdict:
                yield self._verdict(checker, name, one, other)
                continue
            for of, epoch_a, epoch_b in _passes(one, other):
                moved = _moved(epoch_a, epoch_b)
                if moved and epoch_a and epoch_b:
                    what = f"`{name}` moved" if moved == NUMBER else f"`{name}` moved within its error bounds"
                    place = f"in epoch {of[0]}" + (f", pass {of[1] + 1}" if of[1] else "")
                    told = f"{epoch_a.observed!r} {place}", f"{epoch_b.observed!r} {place}"
                    yield self._difference(moved, "figure", what, told, (epoch_a.evidence, epoch_b.evidence))
                    break

    def _verdict(self, checker: str, name: str, one: Judged, other: Judged) -> Difference:
        kind = _grave(one.verdict, other.verdict)
        of = "figure" if checker == "aggregate" else "finding"
        what = f"`{name}`" if checker == "aggregate" else f"{checker}: {name}"
        how = f"{what}: {one.verdict} → {other.verdict}"
        return self._difference(kind, of, how, (_told(one), _told(other)), (_evidence(one), _evidence(other)))

    def _reports(self) -> Iterator[Difference]:
        """What was reported, under which name, at which step, in which order; then the values."""
        judged = {name.split(" (")[0] for checker, name in self.a.findings if checker == "aggregate"}
        for observable in FIGURES:
            if observable not in self.changed:
                continue
            a, b = self._both(observable)
            named_a, named_b = ([_name_of(entry) for entry in entries] for entries in (a, b))
            for name in dict.fromkeys((*named_a, *named_b)):
                of_a, of_b = ([entry for entry in entries if _name_of(entry) == name] for entries in (a, b))
                yield from self._report(observable, name, of_a, of_b, judged)
        yield from self._writes()

    def _report(
        self, observable: str, name: str, a: list[Entry], b: list[Entry], judged: set[str]
    ) -> Iterator[Difference]:
        if not a or not b:
            kind, how = (BREAKS, "is no longer there") if a else (NUMBER, "is new")
            yield self._between(kind, observable, f"`{name}` {how}", a[0] if a else None, b[0] if b else None)
        elif [entry.what for entry in a] != [entry.what for entry in b]:
            one, other = _first_difference(a, b)
            how = "another number of times" if len(a) != len(b) else "otherwise"
            yield self._between(NUMBER, observable, f"`{name}` is told {how}", one, other)
        else:
            for one, other in _pairs(a, b):
                if one.numbers != other.numbers and name not in judged:
                    kind = BIT if _rounding(one, other, len(a)) else NUMBER
                    yield self._between(kind, observable, f"`{name}` differs", one, other)
                    return

    def _writes(self) -> Iterator[Difference]:
        """Only where each figure is told as before: then they are told in other company, or in another order."""
        logger = ("logger", "logger writes")
        if "logger writes" in self.changed and [name for name in logger if name in self.changed] == ["logger writes"]:
            a, b = self._both("logger writes")
            how = "in another number of writes" if len(a) != len(b) else "in other company"
            what = f"figures are told to the logger {how}"
            yield self._between(ORDER, "logger writes", what, *_first_difference(a, b))

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
        for gone, new in _gone_and_new(a, b):
            kind = BREAKS if gone and not new else NUMBER
            what = "a checkpoint is no longer written" if kind == BREAKS else "checkpoints are written otherwise"
            yield self._between(kind, "checkpoints", what, gone, new)
            return

    def _others(self) -> Iterator[Difference]:
        yield from self._sequence("Trainer", NUMBER)
        yield from self._sequence("metric objects", NUMBER)

    def _process(self) -> Iterator[Difference]:
        if "process" in self.changed:
            one, other = _first_difference(*self._both("process"))
            yield self._between(BREAKS, "process", "the trial's process ends otherwise", one, other)

    def _sequence(self, observable: str, kind: str) -> Iterator[Difference]:
        if observable in self.changed:
            one, other = _first_difference(*self._both(observable))
            what = _name_of(one or other) if observable == "Trainer" else f"{observable} differ"
            yield self._between(kind, observable, what, one, other)

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
            if count_b is None or count_b == count_a or not name.startswith(("python_calls", "held_bytes")):
                continue
            calls = name.startswith("python_calls")
            if calls and abs(math.log(max(count_b, 1) / max(count_a, 1))) <= CALLS_MARGIN:
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

    def _both(self, observable: str) -> tuple[Entries, Entries]:
        assert self.a.observed is not None
        assert self.b.observed is not None
        return self.a.observed[observable], self.b.observed[observable]

    def _between(self, kind: str, observable: str, what: str, a: Entry | None, b: Entry | None) -> Difference:
        lines = ([a.line] if a else [], [b.line] if b else [])
        return self._difference(kind, observable, what, (_in_words(a), _in_words(b)), lines)


def _grave(a: str, b: str) -> str:
    """The class of a verdict that changed."""
    if "unknown" in (a, b):
        return NUMBER
    if BETTER.index(b) < BETTER.index(a):
        return ORDER if (a, b) == ("silent", "fired") else FIXED
    return BREAKS if b in (*LOST, "violated") else NUMBER


def _moved(a: EpochVerdict | None, b: EpochVerdict | None) -> str:
    """`NUMBER` for figures of the same pass that are further apart than both bounds, `BIT` if they differ, else ''."""
    if a is None or b is None or a.observed is None or b.observed is None:
        return ""
    if a.observed == b.observed or (math.isnan(a.observed) and math.isnan(b.observed)):
        return ""
    within = abs(a.observed - b.observed) <= (a.bound or 0.0) + (b.bound or 0.0)
    return BIT if within and math.isfinite(a.observed) and math.isfinite(b.observed) else NUMBER


def _rounding(a: Entry, b: Entry, terms: int) -> bool:
    """Whether numbers of which no truth is known differ by no more than two float32 sums of as many terms of one sign,
    added up in another order, might: gamma(n) of the larger, twice."""
    for (_, one), (_, other) in zip(a.numbers, b.numbers, strict=False):
        same = one == other or (math.isnan(one) and math.isnan(other))
        if not same and not abs(one - other) <= 2 * gamma(max(terms, 2), FLOAT32) * max(abs(one), abs(other)):
            return False
    return True


def _passes(a: Judged, b: Judged) -> Iterator[tuple[tuple[int, int], EpochVerdict | None, EpochVerdict | None]]:
    for of in sorted(a.figures.keys() | b.figures.keys()):
        yield of, a.figures.get(of), b.figures.get(of)


def _first_difference(a: Sequence[Entry], b: Sequence[Entry]) -> tuple[Entry | None, Entry | None]:
    for one, other in _pairs(a, b):
        if (one.what, one.numbers, one.rank) != (other.what, other.numbers, other.rank):
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


def _name_of(entry: Entry | None) -> str:
    """Without the value or the place that follows it."""
    return "" if entry is None else entry.what.split(" at step ")[0].split(": ")[0]


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
