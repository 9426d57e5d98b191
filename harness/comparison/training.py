"""How what training did differs: samples, draws, learning rates, weights, and the figures that follow from them."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

from harness.comparison import steps
from harness.comparison.beside import Beside, first_difference, grouped, pairs
from harness.comparison.differences import BIT, BREAKS, FIXED, GONE, NEW, NUMBER, ORDER, Difference
from harness.comparison.observables import NOTHING, Entry
from harness.comparison.seen import Judged
from harness.findings import EpochVerdict
from harness.oracle.measured import Measured

# Verdicts from the best to the worst; a bias that is predicted is no worse than a hook that is not called.
BETTER = ("exact", "ok", "fired", "biased", "stale", "violated", "silent", "wrong", "missing", "raised")
LOST = ("missing", "raised", "silent")
# Checkers of what steps are given and what figures are made of; the others look at what runs, and when.
OF_NUMBERS = ("samples", "precision", "report_step", "metric_state", "training", "same_as")

# What follows from other samples, draws or learning rates; figures follow from predictions.
CAUSES = ("samples", "random generators", "learning rates")
FIGURES = (
    "self.log", "logger", "progress bar", "callback_metrics", "callback_metrics at the end", "returned",
    "best checkpoint", "record",
)  # fmt: skip
# Of these, what is told in words follows from other numbers too.
TEXTS = ("best checkpoint", "record")


class Training(Beside):
    """Of one trial that ended alike on both sides."""

    def of_training(self) -> Iterator[Difference]:
        """Samples, draws, learning rates, weights, and the figures that follow.

        Two things do not follow from other numbers: a verdict, since truth is over what that very trial gave; and under
        which names figures are reported, and where, unless there are more steps, or fewer.
        """
        own = [*self._samples(), *self._loaders()]
        own += [*self.sequence("random generators", NUMBER), *self.sequence("learning rates", NUMBER)]
        diverged = [name for name in self.changed if name in ("predictions", "weights")]
        figures = [*self.verdicts(), *([] if diverged else self.moved())]
        reports = [*self._reports()]
        if not diverged:
            told = {each.observable for each in reports}
            follow = [name for name in FIGURES if name in self.changed and name not in told]
            yield from (*own, *(each.with_followers(follow) for each in figures), *reports, *self._values(figures))
            return
        writes = () if self.as_many("samples") else ("logger writes",)
        followers = [*diverged, *(name for name in (*FIGURES, *writes) if name in self.changed)]
        if any(each.observable in CAUSES for each in own):
            own = [each.with_followers(followers) if each.observable in CAUSES else each for each in own]
        else:
            own.append(self._divergence(diverged, reports).with_followers(followers))
        yield from (*own, *figures)
        if self.as_many("samples"):
            yield from (each for each in reports if each.observable not in TEXTS)

    def _samples(self) -> Iterator[Difference]:
        if "samples" not in self.changed:
            return
        a, b = self.both("samples")
        one, other = first_difference(a, b)
        if steps.given_the_same(*self.histories()):
            yield self.between(ORDER, "samples", "samples come in another order", one, other)
        else:
            yield self.between(NUMBER, "samples", "steps are given other samples", one, other)

    def _loaders(self) -> Iterator[Difference]:
        if "loaders" not in self.changed:
            return
        a, b = (Counter(entry.what for entry in entries) for entries in self.both("loaders"))
        for name in sorted(a | b):
            if a[name] != b[name]:
                what = f"{name} is iterated over another number of times"
                yield self.difference(NUMBER, "loaders", what, (str(a[name]), str(b[name])))
        if a == b:
            yield from self.sequence("loaders", ORDER)

    def _divergence(self, diverged: list[str], reports: list[Difference]) -> Difference:
        """Weights or predictions differ though samples, draws and learning rates do not: by no more than rounding, if
        every figure that has a bound is within both runs' bounds, every other within `_rounding`, predictions are
        alike, and some of all that has come from the weights that differ."""
        numbers = [*self.moved(), *self._values(()), *(each for each in reports if each.observable in TEXTS)]
        alike = self._weights_are_seen() and steps.predicted_alike(*self.histories())
        kind = BIT if alike and all(each.kind == BIT for each in numbers) else NUMBER
        what = f"{' and '.join(diverged)} differ"
        return self.between(kind, diverged[0], what, *first_difference(*self.both(diverged[0])))

    def _weights_are_seen(self) -> bool:
        """Whether a prediction, or a number given to `self.log`, has come from the weights that differ: after they were
        noted, or before, where it differs too. A figure that is told later may have been there already."""
        one, other = first_difference(*self.both("weights"))
        noted = math.inf if one is None or other is None else one.line
        predictions = [pair for pair in pairs(*self.both("predictions")) if pair[0].what != NOTHING]
        given = [pair for pair in pairs(*self.both("self.log")) if pair[0].numbers]
        return any(a.line > noted or a.compared != b.compared for a, b in (*predictions, *given))

    def _aggregates(self) -> Iterator[tuple[str, Judged, Judged]]:
        for (checker, name), one in self.a.findings.items():
            other = self.b.findings.get((checker, name))
            if checker == "aggregate" and other:
                yield name, one, other

    def verdicts(self) -> Iterator[Difference]:
        """On figures; that of a pattern which is right on some batches may be exact or biased with the numbers."""
        either = {"exact", "biased"} if {*self.changed} & {"predictions", "weights"} else set()
        for name, one, other in self._aggregates():
            verdicts = {one.verdict, other.verdict}
            if len(verdicts) == 2 and "unknown" not in verdicts and verdicts != either:
                yield self.verdict("aggregate", name, one, other)

    def moved(self) -> Iterator[Difference]:
        """Figures whose verdict is the same, where they are first further apart than both bounds, or else differ."""
        for name, one, other in self._aggregates():
            if one.verdict != other.verdict:
                continue
            moved = [(kind, *each) for each in _passes(one, other) if (kind := _apart(*each[1:]))]
            for kind, of, epoch_a, epoch_b in sorted(moved, key=lambda each: each[0] != NUMBER)[:1]:
                what = f"`{name}` moved" if kind == NUMBER else f"`{name}` moved within its error bounds"
                place = f"in epoch {of[0]}" + (f", pass {of[1] + 1}" if of[1] else "")
                told = f"{epoch_a.observed!r} {place}", f"{epoch_b.observed!r} {place}"
                yield self.difference(kind, "figure", what, told, (epoch_a.evidence, epoch_b.evidence))

    def verdict(self, checker: str, name: str, one: Judged, other: Judged) -> Difference:
        kind = _grave(checker, one.verdict, other.verdict)
        of = "figure" if checker == "aggregate" else "finding"
        what = f"`{name}`" if checker == "aggregate" else f"{checker}: {name}"
        how = f"{what}: {one.verdict} → {other.verdict}"
        return self.difference(kind, of, how, (_told(one), _told(other)), (_evidence(one), _evidence(other)))

    def _reports(self) -> Iterator[Difference]:
        """What was reported: under which name, how often, at which step. Other figures make other writes."""
        writes = "logger writes" in self.changed
        for observable, name, a, b in self._by_name():
            follow = ["logger writes"] if writes and observable == "logger" else []
            if not a or not b:
                kind, how = (BREAKS, GONE) if a else (NUMBER, NEW)
                found = self.between(kind, observable, f"`{name}` {how}", a[0] if a else None, b[0] if b else None)
                yield found.with_followers(follow)
            elif [entry.what for entry in a] != [entry.what for entry in b]:
                how = "another number of times" if len(a) != len(b) else "otherwise"
                found = self.between(NUMBER, observable, f"`{name}` is told {how}", *first_difference(a, b))
                yield found.with_followers(follow)
        if writes and self._same_names("logger"):
            how = "in other company" if self.as_many("logger writes") else "in another number of writes"
            what = f"figures are told to the logger {how}"
            yield self.between(ORDER, "logger writes", what, *first_difference(*self.both("logger writes")))

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
            differ = [(one, other) for one, other in pairs(a, b) if one.compared != other.compared]
            if figure in mild:
                differ = [pair for pair in differ if not self._moved_with(figure, *pair)]
            for one, other in differ[:1]:
                kind = BIT if all(_alike(*pair, self._rounding) for pair in differ) else NUMBER
                yield self.between(kind, observable, f"`{name}` differs", one, other)

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
                of_a, of_b = (grouped(entries) for entries in self.both(observable))
                yield from ((observable, name, of_a.get(name, []), of_b.get(name, [])) for name in {**of_a, **of_b})

    def _same_names(self, observable: str) -> bool:
        a, b = self.both(observable)
        return Counter(entry.what for entry in a) == Counter(entry.what for entry in b)

    @cached_property
    def _rounding(self) -> float:
        """How far numbers of which no truth is known may lie apart: they are over the longest pass, for all we know."""
        return max(steps.rounding(steps.longest_pass(side), steps.unit_roundoff(side)) for side in self.histories())


def _grave(checker: str, a: str, b: str) -> str:
    """The class of a verdict that changed; `unknown` is none that could be compared."""
    if BETTER.index(b) < BETTER.index(a):
        return ORDER if (a, b) == ("silent", "fired") else FIXED
    return BREAKS if b in LOST or (b == "violated" and checker not in OF_NUMBERS) else NUMBER


def _apart(a: EpochVerdict, b: EpochVerdict) -> str:
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


def _told(judged: Judged) -> str:
    return f"{judged.verdict}: {judged.message}" if judged.message else judged.verdict


def _evidence(judged: Judged) -> tuple[int, ...]:
    return next((each.evidence for each in judged.figures.values() if each.verdict == judged.verdict), ())
