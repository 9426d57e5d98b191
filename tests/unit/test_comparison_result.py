"""What is made of all differences: the exit code, the title, and what is written."""

import json
from dataclasses import replace

import jsonschema
import pytest
from seen_trials import KEY

from harness.comparison.accepted import Accepted
from harness.comparison.differences import (
    BIT,
    BREAKS,
    CLASSES,
    FASTER,
    NUMBER,
    ORDER,
    SLOWER,
    WARNS,
    Difference,
    grouped,
)
from harness.comparison.result import Asked, ClaimChange, Comparison, OneSided, Side, Undecided
from harness.errors import UsageError
from harness.schemas import validator

OTHER = replace(KEY, workload="digits/ragged")
A, B = (
    Side("2.5.6", "pytorch-lightning 2.5.6", "complete"),
    Side("2.6.0", "pytorch-lightning 2.6.0", "complete", "/b/python"),
)


def difference(kind=BREAKS, what="it is gone", key=KEY, **more):
    return Difference(key, kind, "hooks", what, "here | there", "nothing", (1, 2), (), **more)


def compared(*differences, **more):
    return Comparison(**{"a": A, "b": B, "compared": 2, "differences": differences, **more})


UNDECIDED = {"undecided": (Undecided(KEY, "nobody knows"),)}
GONE = {"one_sided": (OneSided(KEY, "baseline", "", decides=True),)}
NEW = {"one_sided": (OneSided(KEY, "candidate", "needs more", decides=False),)}
ACCEPTED = difference(accepted="known")


@pytest.mark.parametrize(
    ("comparison", "code", "title"),
    [
        (compared(), 0, "Nothing changed"),
        (compared(difference()), 1, "Regressions: 1 × breaks"),
        (compared(difference(WARNS)), 0, "No regression"),
        (compared(difference(WARNS), fail_on=(WARNS,)), 1, "Regressions: 1 × warns"),
        (compared(difference(), fail_on=(WARNS,)), 0, "No regression"),
        (compared(difference(), fail_on=()), 0, "No regression"),
        (compared(ACCEPTED), 0, "No regression"),
        (compared(ACCEPTED, difference(NUMBER)), 1, "Regressions: 1 × changes a number"),
        (compared(ACCEPTED, difference(key=OTHER)), 1, "Regressions: 1 × breaks"),
        (compared(compared=0), 3, "Nothing was compared: no trial ran on both sides"),
        (compared(**UNDECIDED), 3, "No regression found, and something could not be compared"),
        (compared(difference(), **UNDECIDED), 1, "Regressions: 1 × breaks"),
        (compared(difference(BIT), **UNDECIDED), 3, "No regression found, and something could not be compared"),
        (compared(**GONE), 3, "No regression found, and something could not be compared"),
        (compared(**NEW), 0, "Nothing changed"),
        (compared(a=replace(A, status="interrupted")), 3, "No regression found, and something could not be compared"),
        (compared(b=replace(B, status="failed")), 3, "No regression found, and something could not be compared"),
        (compared(unused=(Accepted("old"),)), 0, "Nothing changed"),
        (compared(unstable=UNDECIDED["undecided"]), 0, "Nothing changed but what changes from run to run"),
        (compared(stopped="interrupted"), 3, "No regression found, and something could not be compared"),
    ],
)
def test_the_answer(comparison, code, title):
    assert (comparison.exit_code, comparison.title) == (code, title)


@pytest.mark.parametrize("kind", CLASSES)
def test_what_counts_unless_told_otherwise(kind):
    assert compared(difference(kind)).exit_code == (kind in (BREAKS, NUMBER, ORDER, SLOWER))


def test_the_gravest_stands_first_then_what_changed_in_most_trials_and_what_is_accepted_last():
    found = [
        difference(WARNS, "warned"), difference(BREAKS, "known", accepted="known"), difference(NUMBER, "rare"),
        difference(NUMBER, "often"), difference(NUMBER, "often", key=OTHER), difference(FASTER, "quick"),
    ]  # fmt: skip
    groups = compared(*found).groups
    assert [group.first.what for group in groups] == ["often", "rare", "warned", "quick", "known"]
    assert [group.elsewhere for group in groups] == [1, 0, 0, 0, 0]


def test_of_the_same_change_the_trial_without_a_fault_is_shown():
    (group,) = grouped([difference(key=replace(KEY, fault="step.raise")), difference(key=OTHER)])
    assert group.first.key == OTHER


def test_the_summary():
    comparison = compared(
        difference(), difference(key=OTHER), difference(BIT, "rounded", accepted="known"),
        asked=(Asked("seed", "0", "7"),), claims=(ClaimChange("001.mean", "It is the mean.", "holds", "refuted"),),
        unused=(Accepted("old", what="x"),), notes=("time is not compared",), **NEW,
    )  # fmt: skip
    assert comparison.summary().splitlines() == [
        "A  2.5.6: pytorch-lightning 2.5.6",
        "B  2.6.0: pytorch-lightning 2.6.0",
        "not asked alike: seed 0 in A, 7 in B",
        "breaks: hooks: it is gone",
        "    a/mean/recommended on digits/even, and in 1 more trial",
        "    A  here | there",
        "    B  nothing",
        "only a bit: hooks: rounded (accepted: known)",
        "    a/mean/recommended on digits/even",
        "    A  here | there",
        "    B  nothing",
        "claim 001.mean: holds → refuted",
        "one side only: a/mean/recommended on digits/even: in candidate only (needs more)",
        "accepted, and no longer there: what 'x' (old)",
        "time is not compared",
        "Regressions: 1 × breaks; 2 trials compared, 2 of them differ",
    ]


def test_the_summary_stays_short():
    many = [difference(what=f"hook {number} is gone") for number in range(100)]
    lines = (
        compared(*many, undecided=tuple(Undecided(KEY, str(number)) for number in range(100))).summary().splitlines()
    )
    assert len(lines) < 70
    assert "… and 88 more changes" in lines
    assert lines[-1].startswith("Regressions: 100 × breaks; ")


def test_what_is_long_is_cut():
    lines = compared(replace(difference(), a="x" * 1000)).summary().splitlines()
    assert max(map(len, lines)) < 220


def test_a_command_shows_one_side_again():
    comparison = compared(difference(key=replace(KEY, fault="step.raise")), seed=7)
    (first,) = comparison.differences
    shown = "epoch-harness run 'a/mean/recommended@digits/even' --fault 'step.raise' --seed 7"
    assert comparison.command(first, A) == shown
    assert comparison.command(first, B) == f"{shown} --python /b/python"


COUNTED = {
    "workload": {"dataset": "digits", "batch_size": 32, "batches": 8, "memory_batches": [8, 16]},
    "counted": [], "differences": [], "left_out": [],
}  # fmt: skip
EVERYTHING = compared(
    difference(follows=("files",)), ACCEPTED, asked=(Asked("seed", "0", "7"),), deprecations=("FutureWarning: soon",),
    claims=(ClaimChange("001.mean", "It is | the mean.", "holds", "refuted"),), unused=(Accepted("old", what="x"),),
    left_out=("left out: keras",), notes=("quick",), cost={"schema_version": 1, "counting": COUNTED, "timing": None},
    unstable=(Undecided(KEY, "a | b\nc"),), **UNDECIDED, **GONE,
)  # fmt: skip


@pytest.mark.parametrize("comparison", [compared(compared=0), EVERYTHING])
def test_what_is_written_follows_its_schema(comparison, tmp_path):
    comparison.write(tmp_path / "new" / "out", "upgrade")
    written = json.loads((tmp_path / "new" / "out" / "upgrade.json").read_text())
    assert written == comparison.to_json()
    validator("comparison").validate(written)


@pytest.mark.parametrize(
    "wrong",
    [
        {"more": 1}, {"exit_code": 2}, {"fail_on": ["worse"]}, {"cost": {}},
        {"cost": {"schema_version": 1, "counting": {**COUNTED, "more": 1}, "timing": None}},
        {"differences": [{**difference().to_json(), "kind": "worse"}]},
        {"differences": [{**difference().to_json(), "lines_a": [0]}]},
    ],
)  # fmt: skip
def test_the_schema_is_strict(wrong):
    with pytest.raises(jsonschema.ValidationError):
        validator("comparison").validate({**EVERYTHING.to_json(), **wrong})


def test_the_report_in_words(tmp_path):
    EVERYTHING.write(tmp_path, "upgrade")
    text = (tmp_path / "upgrade.md").read_text()
    assert text.startswith("# Regressions: 1 × breaks\n")
    assert "With it differ: files." in text
    assert "Accepted: known" in text
    assert "FutureWarning: soon" in text
    assert r"It is \| the mean." in text
    assert "a \\| b c" in text
    assert "--python /b/python --out b" in text
    assert "\n\n\n" not in text


def test_writing_where_a_file_is(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        compared().write(tmp_path / "file", "upgrade")
