"""A readable difference of two sequences of hooks: what vanished, appeared, moved, or ran twice."""

from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

from harness.comparison.observables import STEP, Entries, Entry

MOST_ALIGNED = 4000  # of what is left between a common beginning and a common end; beyond that, it is only counted
CONTEXT = 3

VANISHED, FEWER, APPEARED, MORE, MOVED = "no longer runs", "runs less often", "runs now", "runs more often", "moved"


@dataclass(frozen=True)
class Change:
    """Of one hook.

    Attributes:
        how: `VANISHED`, `FEWER`, `APPEARED`, `MORE` or `MOVED`.
        a, b: the hook and its neighbours on either side, where it changed first.
        lines_a, lines_b: of the histories.
    """

    hook: str
    how: str
    count_a: int
    count_b: int
    a: str
    b: str
    lines_a: tuple[int, ...]
    lines_b: tuple[int, ...]


@dataclass(frozen=True)
class Alignment:
    """Two sequences beside each other.

    Attributes:
        pairs: of entries that are the same hook on both sides, in order.
        changes: one for each hook of which the sequences differ.
    """

    pairs: list[tuple[Entry, Entry]]
    changes: list[Change]


def align(a: Entries, b: Entries) -> Alignment:
    """By the names of hooks (and ranks); where they stood is for those who look at the pairs."""
    start = _common(a, b)
    end = _common(a[start:][::-1], b[start:][::-1])
    middle_a, middle_b = a[start : len(a) - end], b[start : len(b) - end]
    pairs = list(zip(a[:start], b[:start], strict=True))
    if not middle_a and not middle_b:
        return Alignment(pairs, [])
    only_a, only_b = list(middle_a), list(middle_b)
    if max(len(middle_a), len(middle_b)) <= MOST_ALIGNED:
        only_a, only_b = [], []
        matcher = SequenceMatcher(None, _names(middle_a), _names(middle_b), autojunk=False)
        for tag, a_from, a_to, b_from, b_to in matcher.get_opcodes():
            if tag == "equal":
                pairs += zip(middle_a[a_from:a_to], middle_b[b_from:b_to], strict=True)
            else:
                only_a += middle_a[a_from:a_to]
                only_b += middle_b[b_from:b_to]
    pairs += zip(a[len(a) - end :], b[len(b) - end :], strict=True)
    return Alignment(pairs, _changes(a, b, only_a, only_b))


def _changes(a: Entries, b: Entries, only_a: list[Entry], only_b: list[Entry]) -> list[Change]:
    counted_a, counted_b = (Counter(entry.what for entry in entries) for entries in (a, b))
    changes = []
    for hook in dict.fromkeys(entry.what for entry in (*only_a, *only_b)):
        in_a, in_b = counted_a[hook], counted_b[hook]
        if in_a == in_b:
            how = MOVED
        elif in_b < in_a:
            how = FEWER if in_b else VANISHED
        else:
            how = MORE if in_a else APPEARED
        at_a = next((entry for entry in only_a if entry.what == hook), None)
        at_b = next((entry for entry in only_b if entry.what == hook), None)
        told_a, lines_a = _around(a, at_a)
        told_b, lines_b = _around(b, at_b)
        changes.append(Change(hook, how, in_a, in_b, told_a, told_b, lines_a, lines_b))
    return changes


def _around(entries: Entries, entry: Entry | None) -> tuple[str, tuple[int, ...]]:
    """An entry between its neighbours, and their lines."""
    if entry is None:
        return "", ()
    index = next(index for index, each in enumerate(entries) if each is entry)
    near = entries[max(0, index - CONTEXT) : index + CONTEXT + 1]
    told = " → ".join(f"[{each.what}]" if each is entry else each.what for each in near)
    return f"{told} ({entry.place})" if entry.place else told, tuple(each.line for each in near)


def _common(a: Entries, b: Entries) -> int:
    for index, (one, other) in enumerate(zip(a, b, strict=False)):
        if (one.what, one.rank) != (other.what, other.rank):
            return index
    return min(len(a), len(b))


def _names(entries: Entries) -> list[tuple[str, int]]:
    return [(entry.what, entry.rank) for entry in entries]


def called(hook: str) -> str:
    """In words."""
    owner, _, name = hook.rpartition(" ")
    return "the step" if hook == STEP else f"{owner} `{name}`".strip()
