"""How the course of a trial differs: how it ended, what was raised, and which hooks ran, where."""

from collections import Counter
from collections.abc import Iterator

from harness.comparison.beside import Beside, Pair, first_difference, pairs
from harness.comparison.differences import BREAKS, FIXED, NUMBER, ORDER, WARNS, Difference
from harness.comparison.observables import ENDED_WELL, ENDS, Entry
from harness.comparison.seen import Seen
from harness.comparison.sequences import APPEARED, FEWER, MORE, MOVED, VANISHED, align, called

GOOD = ("exact", "ok", "fired")


class Course(Beside):
    """Of one trial; an ending that differs is the reason of whatever else does."""

    def endings(self) -> Iterator[Difference]:
        if not {"exceptions", "process"} & {*self.changed}:
            return
        raised_a, raised_b = self.a.raised, self.b.raised
        if _class_of(raised_a) == _class_of(raised_b):
            one, other = first_difference(*self._ends())
            if one or other:
                kind = FIXED if self.a.key.fault == "none" and self._all_is_well() else BREAKS
                yield self.between(kind, "process", "the trial's process ends otherwise", one, other)
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
        yield self.difference(kind, "exceptions", what, (raised_a or "nothing", raised_b or "nothing"), lines)

    def _all_is_well(self) -> bool:
        """Whether the candidate's process ended as it should, its figures are those that the pattern's arithmetic
        gives, and its hooks run."""
        _, ends = self._ends()
        ended = [entry.what for entry in ends] == [ENDED_WELL]
        return ended and all(each.verdict in (*GOOD, "biased") for each in self.b.findings.values())

    def _ends(self) -> Pair[list[Entry]]:
        a, b = ([entry for entry in entries if entry.what.startswith(ENDS)] for entries in self.both("process"))
        return a, b

    def exceptions(self) -> Iterator[Difference]:
        """Those that do not decide how the trial ended, and other words of those that do."""
        a, b = self.both("exceptions")
        if [_class_of(entry.what) for entry in a] == [_class_of(entry.what) for entry in b]:
            for one, other in pairs(a, b):
                if one.what != other.what:
                    what = f"other words: {_class_of(one.what)}"
                    yield self.between(WARNS, "exceptions", what, one, other)
                    return
        of_a, of_b = (Counter(_class_of(entry.what) for entry in entries) for entries in (a, b))
        for raised in dict.fromkeys((*of_a, *of_b)):
            if of_a[raised] != of_b[raised]:
                first = [next((each for each in side if _class_of(each.what) == raised), None) for side in (a, b)]
                how = "" if not of_a[raised] else "no longer: " if not of_b[raised] else "another number of times: "
                yield self.between(BREAKS, "exceptions", f"{how}{raised}", *first)

    def hooks(self) -> Iterator[Difference]:
        classes = {VANISHED: BREAKS, FEWER: BREAKS, MORE: BREAKS, APPEARED: ORDER, MOVED: ORDER}
        if "hooks" not in self.changed:
            return
        for change in align(*self.both("hooks")).changes:
            how = change.how
            counted = ((change.count_a, change.a), (change.count_b, change.b))
            told_a, told_b = (": ".join(filter(None, (f"{count} times", shown))) for count, shown in counted)
            told = (change.a, change.b) if how == MOVED else (told_a, told_b)
            what = f"{called(change.hook)} {'runs elsewhere in the order' if how == MOVED else how}"
            yield self.difference(classes[how], "hooks", what, told, (change.lines_a, change.lines_b))

    def counters(self) -> Iterator[Difference]:
        """Stage, epoch, step and batch as the same hook saw them, and what it was given."""
        if "counters" not in self.changed:
            return
        pairs = align(*self.both("hooks")).pairs
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
                yield self.difference(NUMBER, "counters", what, (told_a, told_b), ([one.line], [other.line]))

    def process(self) -> Iterator[Difference]:
        """What it left behind."""
        if "process" in self.changed:
            what = "the trial leaves processes or files behind"
            yield self.between(BREAKS, "process", what, *first_difference(*self.both("process")))


def _class_of(raised: str) -> str:
    return raised.split(":")[0]


def _lines(side: Seen, beginning: str) -> list[int]:
    entries = side.observed["exceptions"] if side.observed else ()
    return [entry.line for entry in entries if entry.what.startswith(beginning)]
