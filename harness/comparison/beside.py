"""Two trials beside each other: where what was seen of them differs first, in words and with the lines that show it."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from harness.comparison.differences import Difference
from harness.comparison.observables import Entries, Entry
from harness.comparison.seen import Seen
from harness.history.reader import History

T = TypeVar("T")

Pair = tuple[T, T]  # of the baseline, and of the candidate


class Beside:
    """One trial in the baseline, `a`, and in the candidate, `b`; `changed` names the observables that differ."""

    def __init__(self, a: Seen, b: Seen) -> None:
        self.a, self.b = a, b
        self.changed = a.changed(b)

    def difference(
        self, kind: str, observable: str, what: str, told: Pair[str], lines: Pair[Sequence[int]] = ((), ())
    ) -> Difference:
        return Difference(self.a.key, kind, observable, what, *told, tuple(lines[0]), tuple(lines[1]))

    def between(self, kind: str, observable: str, what: str, a: Entry | None, b: Entry | None) -> Difference:
        lines = ([a.line] if a else [], [b.line] if b else [])
        return self.difference(kind, observable, what, (_in_words(a), _in_words(b)), lines)

    def both(self, observable: str) -> Pair[Entries]:
        assert self.a.observed is not None
        assert self.b.observed is not None
        return self.a.observed[observable], self.b.observed[observable]

    def histories(self) -> Pair[History]:
        assert self.a.history is not None
        assert self.b.history is not None
        return self.a.history, self.b.history

    def sequence(self, observable: str, kind: str) -> Iterator[Difference]:
        if observable in self.changed:
            one, other = first_difference(*self.both(observable))
            yield self.between(kind, observable, f"{observable} differ", one, other)

    def as_many(self, observable: str) -> bool:
        a, b = self.both(observable)
        return len(a) == len(b)


def first_difference(a: Sequence[Entry], b: Sequence[Entry]) -> tuple[Entry | None, Entry | None]:
    """None where one side has no more; both if all is the same."""
    for one, other in pairs(a, b):
        if one.compared != other.compared:
            return one, other
    return (a[len(b)], None) if len(a) > len(b) else (None, b[len(a)]) if len(b) > len(a) else (None, None)


def pairs(a: Sequence[Entry], b: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """As far as both sides go."""
    yield from zip(a, b, strict=False)


def grouped(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
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
