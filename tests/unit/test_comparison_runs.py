"""Two stored runs."""

import json

import pytest
from seen_trials import training, write

from harness.comparison.accepted import Accepted
from harness.comparison.differences import BREAKS, FIXED, NUMBER
from harness.comparison.runs import compare
from harness.errors import UsageError
from harness.findings import EpochVerdict
from harness.schemas import validator


def claim(verdict):
    condition = {"asked": "* on * is exact", "met_on": [], "not_met_on": [], "numbers": {}, "trials": []}
    return {
        "claim": "001.mean", "statement": "It is | the mean.", "source": "document 001", "verdict": verdict,
        "expected_verdict": "holds", "as_expected": True, "conditions": [condition],
    }  # fmt: skip


@pytest.fixture
def stored(make_run):
    """The path of a run of these findings, each trial with a history."""

    def make(name, findings, operations=None, **more):
        run = make_run(findings, name=name, **more)
        for trial in {found.trial for found in findings}:
            write(run.history(trial), training() if operations is None else operations)
        return run.path

    return make


def told(a, b):
    return [(each.kind, each.observable, each.what) for each in compare(a, b).differences]


def test_a_run_equals_itself(stored, finding):
    run = stored("a", [finding(), finding(checker="hook", aggregate="on_train_epoch_end", verdict="ok")])
    comparison = compare(run, run)
    assert (comparison.compared, comparison.exit_code, comparison.title) == (1, 0, "Nothing changed")
    validator("comparison").validate(comparison.to_json())


def test_what_histories_show_is_told_with_verdicts(stored, finding):
    a = stored("a", [finding()])
    b = stored("b", [finding(verdict="missing", observed=None, message="never")], training().without(f="on_fit_end"))
    assert told(a, b) == [
        (BREAKS, "hooks", "a callback's `on_fit_end` no longer runs"),
        (BREAKS, "figure", "`val_loss`: exact → missing"),
    ]
    assert compare(a, b).differences[1].b == "missing: never"


def test_cells_of_a_fault_are_told_apart_from_those_of_another(stored, finding):
    def run(name, **verdicts):
        return stored(name, [
            finding(fault=fault, checker="cell", aggregate="Log.on_fit_end", verdict=verdict, observed=None)
            for fault, verdict in verdicts.items()
        ])  # fmt: skip

    comparison = compare(run("a", early="fired", late="fired"), run("b", early="fired", late="silent"))
    (difference,) = comparison.differences
    assert (difference.key.fault, difference.what) == ("late", "cell: Log.on_fit_end: fired → silent")
    assert comparison.compared == 2


def test_a_figure_that_moved_in_one_pass_is_told_with_its_turn(stored, finding):
    def run(name, last):
        passes = (EpochVerdict(1, "wrong", 0.5, bound=0.0), EpochVerdict(1, "wrong", last, bound=0.0, turn=1))
        return stored(name, [finding(verdict="wrong", per_epoch=passes)])

    (difference,) = compare(run("a", 0.5), run("b", 0.75)).differences
    assert (difference.a, difference.b) == ("0.5 in epoch 1, pass 2", "0.75 in epoch 1, pass 2")


def test_a_verdict_that_got_better_is_fixed(stored, finding):
    a = stored("a", [finding(verdict="wrong")])
    assert told(a, stored("b", [finding()])) == [(FIXED, "figure", "`val_loss`: wrong → exact")]


def test_a_history_that_is_missing_is_bad_usage(stored, make_run, finding):
    kept = make_run([finding()], name="bare")
    kept.history(finding().trial).unlink()
    a, bare = stored("a", [finding()]), kept.path
    for pair in ((a, bare), (bare, a)):
        with pytest.raises(UsageError, match="not its history: it was not kept whole"):
            compare(*pair)


@pytest.mark.parametrize("damaged", [("b",), ("a",), ("a", "b")])
def test_a_damaged_history_leaves_its_trial_undecided(stored, finding, damaged):
    """Even if it is damaged on both sides, which look the same then; and that every hook is gone is not told."""
    other = finding(workload="digits/ragged")
    unread = finding(checker="history", aggregate="*", verdict="unknown", message="line 1 is cut off")
    runs = [stored(name, [unread if name in damaged else finding(), other]) for name in "ab"]
    for name, run in zip("ab", runs, strict=True):
        if name in damaged:
            (run / "histories" / f"{unread.trial}.jsonl").write_text("")
    comparison = compare(*runs)
    assert comparison.differences == ()
    assert (comparison.compared, comparison.exit_code) == (1, 3)
    assert "line 1 is cut off" in comparison.summary()


@pytest.mark.parametrize(
    ("a", "b"), [("exact", "unknown"), ("unknown", "exact"), ("unknown", "unknown"), ("raised", "raised")]
)
def test_a_finding_that_could_not_be_decided_is_undecided(stored, finding, a, b):
    comparison = compare(*(stored(name, [finding(verdict=each)]) for name, each in (("a", a), ("b", b))))
    assert (comparison.differences, comparison.exit_code) == ((), 3)


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_checker_that_failed_on_one_side_leaves_its_trial_undecided(stored, finding, names):
    """It gives one finding in place of its own."""
    crashed = finding(aggregate="*", verdict="unknown", expected_verdict="ok", as_expected=False, message="it failed")
    runs = {names[0]: stored(names[0], [finding()]), names[1]: stored(names[1], [crashed])}
    comparison = compare(runs["a"], runs["b"])
    assert (comparison.differences, comparison.exit_code) == ((), 3)
    assert "aggregate * is" in comparison.undecided[0].why
    assert "it failed" in comparison.undecided[0].why


def test_a_finding_that_is_not_kept_whole_is_bad_usage(stored, finding):
    cut, whole = (stored(name, [finding(), finding(workload="digits/ragged")]) for name in "ab")
    findings = cut / "findings.jsonl"
    findings.write_bytes(findings.read_bytes()[:-20])
    for pair in ((cut, whole), (whole, cut)):
        with pytest.raises(UsageError, match="holds 1 of 2 findings: it was not kept whole"):
            compare(*pair)


@pytest.mark.parametrize("verdict", ["unknown", "raised"])
def test_what_is_expected_to_fail_is_compared(stored, finding, verdict):
    run = stored("a", [finding(verdict=verdict, expected_verdict=verdict)])
    assert compare(run, run).exit_code == 0


def test_trials_of_one_run_only(stored, finding):
    few = stored("few", [finding()])
    many = stored("many", [finding(), finding(workload="digits/ragged"), finding(fault="raise")])
    lost, gained = compare(many, few), compare(few, many)
    assert [(str(each), each.decides) for each in lost.one_sided] == [
        ("averaging/manual/migrated on digits/ragged: in A only", True),
        ("averaging/manual/migrated on digits/even under raise: in A only", True),
    ]
    assert lost.exit_code == 3
    assert len(gained.one_sided) == 2
    assert gained.exit_code == 0


def test_why_a_trial_could_not_run_there_is_told(stored, finding):
    unavailable = [
        {
            "scenario": finding().scenario,
            "workload": "digits/ragged",
            "device": "cpu",
            "reason": "no GPU",
            "fault": "none",
        }
    ]
    a = stored("a", [finding(), finding(workload="digits/ragged")])
    b = stored("b", [finding()], unavailable=unavailable)
    assert [each.reason for each in compare(a, b).one_sided] == ["no GPU"]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("needs pytorch-lightning<2.6, and 2.6.6 is installed", 0),
        ("needs torchmetrics>=1, and it is not installed", 3),
        ("needs 2 GPUs; torch sees 1", 3),
        ("lightning cannot be imported: ImportError: x", 3),
    ],
)
def test_what_the_candidate_lacks_is_not_decided_unless_it_is_for_other_versions(stored, finding, reason, code):
    there = {"scenario": finding().scenario, "workload": "digits/ragged", "device": "cpu", "fault": "none"}
    a = stored("a", [finding(), finding(workload="digits/ragged")])
    b = stored("b", [finding()], unavailable=[there | {"reason": reason}])
    assert compare(a, b).exit_code == code


def test_nothing_in_common(stored, finding):
    a = stored("a", [finding(placement="cpu,ranks=1,float32")])
    b = stored("b", [finding(placement="cuda,ranks=1,float32")])
    assert compare(a, b).exit_code == 3
    assert compare(stored("c", []), stored("d", [])).exit_code == 3


def test_what_the_runs_were_not_asked_alike_is_told(stored, finding, manifest):
    def asked(name, **different):
        return stored(name, [finding()], arguments=manifest["arguments"] | different)

    a, b = asked("a", filters=["x/*", "a/*"]), asked("b", seed=7, device="cpu", filters=["a/*", "x/*"])
    assert [str(asked) for asked in compare(a, b).asked] == ["seed 0 in A, 7 in B", "device auto in A, cpu in B"]
    assert "\nnot asked alike: seed 0 in A, 7 in B; device auto in A, cpu in B\n" in compare(a, b).summary()
    (filters,) = compare(a, asked("c")).asked
    assert str(filters) == "filters a/* x/* in A, none in B"
    assert compare(a, a).asked == ()


@pytest.mark.parametrize(("a", "b", "changes"), [
    ("holds", "refuted", [("holds", "refuted")]), ("holds", "undecided", []), ("undecided", "holds", []),
    ("holds", "holds", []),
])  # fmt: skip
def test_a_claim_that_both_decided_otherwise_is_told(stored, finding, a, b, changes):
    runs = [stored(name, [finding()], claims=[claim(verdict)]) for name, verdict in (("a", a), ("b", b))]
    assert [(change.a, change.b) for change in compare(*runs).claims] == changes


def test_an_interrupted_run_lacks_claims_and_trials(stored, finding):
    a = stored("a", [finding(), finding(workload="digits/ragged")], claims=[claim("holds")])
    b = stored("b", [finding()], status="interrupted", environment={})
    (b / "claims.json").unlink()
    comparison = compare(a, b)
    assert (comparison.claims, comparison.exit_code) == ((), 3)
    assert "(interrupted)" in comparison.summary()


def test_of_time_nothing_is_said_and_why(stored, finding):
    a, b = stored("a", [finding()]), stored("b", [finding()], machine={"platform": "Linux", "processors": 96})
    assert compare(a, b).notes == ("time is not compared: the machines differ",)
    assert compare(a, a).notes == ("time is not compared: they did not run side by side",)


def test_lines_of_histories_are_those_of_the_files(stored, finding):
    """So that what is shown can be looked up."""
    b = stored("b", [finding()], training().with_value({"val_loss": 7.0}, f="progress_bar"))
    (difference,) = compare(stored("a", [finding()]), b).differences
    (line,) = difference.lines_b
    assert '"progress_bar"' in next((b / "histories").iterdir()).read_text().splitlines()[line - 1]
    assert difference.kind == NUMBER


def with_manifest(run, part, **changes):
    """The same run, with other values in a part of its manifest."""
    path = run / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, part: {**manifest[part], **changes}}))
    return run


# Other Pythons


def test_python_calls_of_another_minor_version_are_not_compared(stored, finding):
    def made_by(python):
        more = training().with_value({"python_calls": int(python[2:4]) * 1000, "held_bytes": 64}, f="counters")
        return with_manifest(stored(python, [finding()], more), "environment", python=python)

    same, other, patched = made_by("3.12.1"), made_by("3.11.7"), made_by("3.12.9")
    slower = ("slower", "cost", "Python calls in an epoch's steps (train)")
    assert told(same, patched) == []
    comparison = compare(other, same)
    assert (comparison.differences, comparison.exit_code) == ((), 0)
    assert "Python calls are not compared: Python 3.11.7 makes others than 3.12.1" in comparison.notes
    assert [slower] == told(stored("few", [finding()]), stored("many", [finding()], training().with_value(
        {"python_calls": 2000, "held_bytes": 64}, f="counters")))  # fmt: skip


# Entries of the file of accepted differences that match nothing


@pytest.mark.parametrize(("observable", "told"), [("hooks", True), ("time", False), ("*", False)])
def test_they_are_told_where_all_was_run(stored, finding, observable, told):
    entry = Accepted("old", observable=observable)
    a, b = stored("a", [finding()]), stored("b", [finding()])
    assert compare(a, b, accepted=[entry]).unused == ((entry,) if told else ())


@pytest.mark.parametrize("asked", [{"filters": ["a/*"]}, {"faults": ["none"]}, None])
def test_they_are_not_told_where_only_a_part_was_run(stored, finding, asked):
    a = stored("a", [finding()])
    b = stored("b", [finding()], status="complete" if asked else "interrupted")
    with_manifest(b, "arguments", **(asked or {}))
    for one, other in ((a, b), (b, a)):
        assert compare(one, other, accepted=[Accepted("old", observable="hooks")]).unused == ()
