"""A readable difference of two sequences of hooks: what vanished, appeared, moved, or ran twice.

Hooks that run another number of times are left out on both sides, and told. What is left has the same hooks as often;
where it still is not the same, one of the two that stand at the first difference has moved, and is left out too, and so
on. What then remains is the same on both sides, entry by entry. That takes a pass over the sequences for each hook that
is left out; a shortest edit script takes one for each edit, and pairs what stands in one epoch with what stands in
another, where that is shorter.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from harness.comparison.observables import STEP, Entries, Entry

CONTEXT = 3

VANISHED, FEWER, APPEARED, MORE, MOVED = "no longer runs", "runs less often", "runs now", "runs more often", "moved"

Name = tuple[str, int]  # of a hook, on a rank


@dataclass(frozen=True)
class Change:
    """Of one hook.

    Attributes:
        how: `VANISHED`, `FEWER`, `APPEARED`, `MORE` or `MOVED`.
        a, b: the hook and its neighbours, where it changed first: on the side where it runs more often, or on both.
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
        pairs: of entries that are the same hook on both sides, in order; all of those hooks that have not changed.
        changes: one for each hook that has, those that run another number of times first.
    """

    pairs: list[tuple[Entry, Entry]]
    changes: list[Change]


def align(a: Entries, b: Entries) -> Alignment:
    """By the names of hooks (and ranks); where they stood is for those who look at the pairs."""
    in_a, in_b = (Counter(map(_name, entries)) for entries in (a, b))
    others = [name for name in {**in_a, **in_b} if in_a[name] != in_b[name]]
    apart = _first_apart(a, b, others)
    rest_a, rest_b = (_without(entries, others) for entries in (a, b))
    while (at := _common(rest_a, rest_b)) < len(rest_a):
        # The one without which the sequences are the same for longer.
        left = {
            name: (_without(rest_a, [name]), _without(rest_b, [name]))
            for name in (_name(rest_a[at]), _name(rest_b[at]))
        }
        moved = min(left, key=lambda name: len(left[name][0]) - _common(*left[name]))
        of_a, of_b = (next(each for each in rest[at:] if _name(each) == moved) for rest in (rest_a, rest_b))
        apart[moved] = of_a, of_b
        rest_a, rest_b = left[moved]
    return Alignment(list(zip(rest_a, rest_b, strict=True)), _changes(a, b, apart))


Apart = dict[Name, tuple[Entry | None, Entry | None]]  # where a hook changed first


def _first_apart(a: Entries, b: Entries, others: Collection[Name]) -> Apart:
    """Of hooks that run another number of times: the first call, on the side that has more of them, that the other has
    not after as many calls of all the rest."""
    places_a, places_b = (_places(entries, others) for entries in (a, b))
    apart: Apart = {}
    for name in others:
        of_a, of_b = places_a[name], places_b[name]
        same = [one == other for (one, _), (other, _) in zip(of_a, of_b, strict=False)]
        at = same.index(False) if False in same else len(same)
        apart[name] = (of_a[at][1], None) if len(of_a) > len(of_b) else (None, of_b[at][1])
    return apart


def _places(entries: Entries, others: Collection[Name]) -> dict[Name, list[tuple[int, Entry]]]:
    """After how many calls of all the rest each of their calls came."""
    found: dict[Name, list[tuple[int, Entry]]] = defaultdict(list)
    rest = 0
    for entry in entries:
        if _name(entry) in others:
            found[_name(entry)].append((rest, entry))
        else:
            rest += 1
    return found


def _changes(a: Entries, b: Entries, apart: Apart) -> list[Change]:
    """One for each hook, whichever ranks it changed on; shown on the first of them."""
    in_a, in_b = (Counter(entry.what for entry in entries) for entries in (a, b))
    changes = []
    for hook in dict.fromkeys(hook for hook, _ in apart):
        count_a, count_b = in_a[hook], in_b[hook]
        if count_a == count_b:
            how = MOVED
        elif count_b < count_a:
            how = FEWER if count_b else VANISHED
        else:
            how = MORE if count_a else APPEARED
        of_a, of_b = next(where for (name, _), where in apart.items() if name == hook)
        told_a, lines_a = _around(a, of_a)
        told_b, lines_b = _around(b, of_b)
        changes.append(Change(hook, how, count_a, count_b, told_a, told_b, lines_a, lines_b))
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
    """How many at the beginning are the same on both sides."""
    for index, (one, other) in enumerate(zip(a, b, strict=False)):
        if _name(one) != _name(other):
            return index
    return min(len(a), len(b))


def _without(entries: Entries, names: Collection[Name]) -> Entries:
    return tuple(entry for entry in entries if _name(entry) not in names) if names else entries


def _name(entry: Entry) -> Name:
    return entry.what, entry.rank


def called(hook: str) -> str:
    """In words."""
    owner, _, name = hook.rpartition(" ")
    return "the step" if hook == STEP else f"{owner} `{name}`".strip()
