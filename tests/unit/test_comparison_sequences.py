"""Two sequences of hooks beside each other."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.comparison.observables import Entry
from harness.comparison.sequences import APPEARED, FEWER, MORE, MOVED, VANISHED, align, called

EPOCH = ["start", "step", "step", "validate", "end"]
HOOKS = st.lists(st.sampled_from("abcde"), max_size=30)


def entries(names, rank=0):
    return tuple(Entry(name, line, ("train", 0, line, None), rank=rank) for line, name in enumerate(names, 1))


def changes(a, b):
    return [(change.hook, change.how) for change in align(entries(a), entries(b)).changes]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("abc", "ac", [("b", VANISHED)]),
        ("abcb", "acb", [("b", FEWER)]),
        ("ac", "abc", [("b", APPEARED)]),
        ("abc", "abbc", [("b", MORE)]),
        ("abcde", "acdeb", [("b", MOVED)]),
        ("abc", "", [("a", VANISHED), ("b", VANISHED), ("c", VANISHED)]),
        ("", "a", [("a", APPEARED)]),
        ("abc", "axc", [("b", VANISHED), ("x", APPEARED)]),
        ("", "", []),
    ],
)
def test_what_became_of_a_hook(a, b, expected):
    assert changes(a, b) == expected


def test_a_hook_that_moved_is_told_beside_one_that_vanished():
    assert sorted(changes("xabcd", "bcad")) == [("a", MOVED), ("x", VANISHED)]


def test_each_of_two_that_moved_is_told():
    assert [how for _, how in changes("abcdefgh", "bacdefhg")] == [MOVED, MOVED]


def test_neighbours_that_swap_in_every_epoch_are_one_change():
    swapped = [*EPOCH[:3], "end", "validate"]
    ((hook, how),) = changes(EPOCH * 5, swapped * 5)
    assert how == MOVED
    assert hook in ("validate", "end")


@given(HOOKS)
def test_a_sequence_is_the_same_as_itself(names):
    alignment = align(entries(names), entries(names))
    assert alignment.changes == []
    assert [(one.line, other.line) for one, other in alignment.pairs] == [(line + 1,) * 2 for line in range(len(names))]


@given(st.data())
def test_a_planted_deletion_is_named_exactly(data):
    names = data.draw(HOOKS.filter(bool))
    at = data.draw(st.integers(0, len(names) - 1))
    without = [*names[:at], *names[at + 1 :]]
    (change,) = align(entries(names), entries(without)).changes
    assert (change.hook, change.how) == (names[at], FEWER if names[at] in without else VANISHED)
    assert (change.count_a, change.count_b) == (names.count(names[at]), without.count(names[at]))
    assert f"[{names[at]}]" in change.a
    assert change.b == ""
    (change,) = align(entries(without), entries(names)).changes
    assert (change.hook, change.how) == (names[at], MORE if names[at] in without else APPEARED)


@given(st.data())
def test_a_planted_swap_of_neighbours_names_one_of_the_two(data):
    names = data.draw(st.lists(st.sampled_from("abcde"), min_size=2, max_size=30))
    pairs = [index for index in range(len(names) - 1) if names[index] != names[index + 1]]
    if not pairs:
        return
    at = data.draw(st.sampled_from(pairs))
    swapped = [*names[:at], names[at + 1], names[at], *names[at + 2 :]]
    ((hook, how),) = changes(names, swapped)
    assert how == MOVED
    assert hook in names[at : at + 2]


@given(HOOKS, HOOKS)
def test_whatever_differs_is_named_and_what_is_as_often_has_moved(a, b):
    found = dict(changes(a, b))
    assert (not found) == (a == b)
    counted_a, counted_b = Counter(a), Counter(b)
    other_counts = {name for name in {*a, *b} if counted_a[name] != counted_b[name]}
    assert {name for name, how in found.items() if how != MOVED} == other_counts


@given(HOOKS, HOOKS)
def test_pairs_are_the_same_hook_on_both_sides_in_order(a, b):
    pairs = align(entries(a), entries(b)).pairs
    assert all(one.what == other.what for one, other in pairs)
    assert [one.line for one, _ in pairs] == sorted({one.line for one, _ in pairs})
    assert [other.line for _, other in pairs] == sorted({other.line for _, other in pairs})


@given(st.sets(st.integers(0, 4), min_size=1), st.sampled_from(EPOCH))
def test_a_hook_that_is_left_out_of_some_epochs_pairs_no_epoch_with_another(epochs, hook):
    """So what counters were seen to be is told of the same epoch on both sides."""
    a = [Entry(name, 0, ("train", epoch, 0, None)) for epoch in range(5) for name in EPOCH]
    b = [entry for entry in a if not (entry.what == hook and entry.stamp[1] in epochs)]
    alignment = align(tuple(a), tuple(b))
    assert [change.hook for change in alignment.changes] == [hook]
    assert all(one.stamp[1] == other.stamp[1] for one, other in alignment.pairs)
    assert len(alignment.pairs) == sum(entry.what != hook for entry in a)


def test_ranks_are_told_apart():
    a = (*entries("ab"), *entries("ab", rank=1))
    b = (*entries("ab"), *entries("ba", rank=1))
    assert [change.how for change in align(a, b).changes] == [MOVED]
    assert align(a, a).changes == []


def test_a_change_shows_its_neighbours_and_their_lines():
    (change,) = align(entries("abcdefghi"), entries("abcdfghi")).changes
    assert change.a == "b → c → d → [e] → f → g → h (train, epoch 0)"
    assert change.lines_a == (2, 3, 4, 5, 6, 7, 8)
    assert change.lines_b == ()


def test_long_sequences_are_no_less_exact():
    epoch = ["start", *["step", "log"] * 1000, "end"]
    a, b = [*epoch, "save"] * 20, ["save", *epoch] * 20
    assert changes(a, b) == [("save", MOVED)]


def test_what_runs_less_often_is_shown_where_it_first_does_not():
    (change,) = align(entries(["s", "x", "t", "s", "x", "u"]), entries(["s", "x", "t", "s", "u"])).changes
    assert (change.how, change.lines_a) == (FEWER, (2, 3, 4, 5, 6))


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ("step", "the step"),
        ("the module's on_fit_end", "the module's `on_fit_end`"),
        ("Trainer.fit", "`Trainer.fit`"),
    ],
)
def test_a_hook_in_words(hook, words):
    assert called(hook) == words
