"""The reviewed file of differences that are accepted."""

from pathlib import Path

import pytest
from seen_trials import KEY

from harness.comparison.accepted import Accepted, apply, read
from harness.comparison.differences import BREAKS, Difference
from harness.errors import UsageError

VERSIONS = {"baseline": "2.5.6", "candidate": "2.6.0rc1"}
DIFFERENCE = Difference(KEY, BREAKS, "hooks", "a callback's `on_fit_end` no longer runs", "2 times", "0 times")


@pytest.mark.parametrize(
    "globs",
    [
        {},
        {"kind": "breaks"},
        {"observable": "ho*"},
        {"what": "*on_fit_end*"},
        {"what": DIFFERENCE.what},
        {"scenario": "a/*", "workload": "digits/*", "fault": "none"},
        {"baseline": ">=2.5,<2.6"},
        {"candidate": ">=2.6.0rc1"},
    ],
)
def test_what_an_entry_covers(globs):
    (marked,), unused = apply([Accepted("known", **globs)], [DIFFERENCE], VERSIONS)
    assert marked.accepted == "known"
    assert unused == []


@pytest.mark.parametrize(
    "globs",
    [
        {"kind": "changes*"},
        {"observable": "hook"},
        {"what": "*on_fit_start*"},
        {"scenario": "b/*"},
        {"workload": "digits"},
        {"fault": "step.*"},
    ],
)
def test_an_entry_that_covers_nothing_is_told(globs):
    entry = Accepted("known", **globs)
    (marked,), unused = apply([entry], [DIFFERENCE], VERSIONS)
    assert marked == DIFFERENCE
    assert unused == [entry]
    assert all(repr(glob) in str(entry) for glob in globs.values())


@pytest.mark.parametrize("versions", [{"baseline": "<2.5"}, {"candidate": ">=2.6.1"}])
def test_an_entry_about_other_versions_neither_covers_nor_is_told(versions):
    (marked,), unused = apply([Accepted("known", **versions)], [DIFFERENCE], VERSIONS)
    assert (marked, unused) == (DIFFERENCE, [])


def test_brackets_in_what_changed_are_no_glob():
    what = "[epoch=0] `a?` differs"
    (marked,), _ = apply([Accepted("known", what=what)], [Difference(KEY, BREAKS, "files", what, "", "")], VERSIONS)
    assert marked.accepted


def test_of_entries_that_both_cover_it_neither_is_unused():
    first, second = Accepted("first", kind="breaks"), Accepted("second", observable="hooks")
    (marked,), unused = apply([first, second], [DIFFERENCE], VERSIONS)
    assert (marked.accepted, unused) == ("first", [])


def test_entries_are_read(tmp_path: Path):
    path = tmp_path / "accepted.toml"
    path.write_text('[[accepted]]\nclass = "breaks"\nwhat = "*epoch_end*"\ncandidate = ">=2.0"\nreason = "removed"\n')
    assert read(path) == [Accepted("removed", kind="breaks", what="*epoch_end*", candidate=">=2.0")]


@pytest.mark.parametrize("text", ["", "accepted = []\n"])
def test_a_file_may_hold_no_entry(tmp_path: Path, text):
    (tmp_path / "accepted.toml").write_text(text)
    assert read(tmp_path / "accepted.toml") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[accepted]]\nclass = "breaks"\n', "accepted 1: 'reason' is a required property"),
        ('[[accepted]]\nreason = ""\n', "accepted 1 reason: "),
        ('[[accepted]]\nreason = "a"\n[[accepted]]\nreason = "b"\nwhere = "c"\n', "accepted 2: .*where"),
        ('[[accepted]]\nreason = "a"\nclass = "worse"\n', "class 'worse' is none of breaks, changes a number"),
        ('[[accepted]]\nreason = "a"\nbaseline = "new"\n', "baseline is no range such as '>=2.5,<2.6'"),
        ('[[accepted]]\nreason = "a"\nwhat = 1\n', "accepted 1 what: 1 is not of type 'string'"),
        ('accepted = "all"\n', "accepted: 'all' is not of type 'array'"),
        ("[accepted\n", "is not TOML"),
        ("\udcff", "is not TOML"),
        (None, "cannot read the accepted differences"),
    ],
)
def test_a_malformed_file_is_bad_usage(tmp_path: Path, text, message):
    path = tmp_path / "accepted.toml"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=message):
        read(path)
