import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.compare import compare
from harness.errors import UsageError
from harness.findings import EpochVerdict, Finding
from harness.run_directory import RunDirectory
from harness.schemas import schema

MakeRun = Callable[..., RunDirectory]
MakeFinding = Callable[..., Finding]


def claim(verdict: str) -> dict[str, Any]:
    condition = {"asked": "* on * is exact", "met_on": [], "not_met_on": [], "numbers": {}, "trials": []}
    return {
        "claim": "001.mean", "statement": "It is | the mean.", "source": "document 001", "verdict": verdict,
        "expected_verdict": "holds", "as_expected": True, "conditions": [condition],
    }  # fmt: skip


def test_a_run_equals_itself(make_run: MakeRun, finding: MakeFinding) -> None:
    run = make_run([finding(), finding(checker="hook", aggregate="on_train_epoch_end", verdict="ok")])
    comparison = compare(run, run)
    assert (comparison.equal, comparison.in_common, comparison.exit_code) == (2, 2, 0)
    assert comparison.title == "Nothing changed"


def test_a_changed_verdict(make_run: MakeRun, finding: MakeFinding) -> None:
    a = make_run([finding()], name="a")
    b = make_run([finding(verdict="missing", observed=None, message="never reported")], name="b")
    comparison = compare(a, b)
    (change,) = comparison.verdicts
    assert (change.epoch, change.a, change.b, change.message) == (None, "exact", "missing", "never reported")
    assert (comparison.equal, comparison.exit_code) == (0, 1)
    assert "exact → missing" in comparison.summary()


def test_cells_of_a_fault_are_told_apart_from_those_of_another(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    def run(name: str, **verdicts: str) -> RunDirectory:
        found = [
            finding(fault=fault, checker="cell", aggregate="Log.on_fit_end", verdict=verdict, observed=None)
            for fault, verdict in verdicts.items()
        ]
        return make_run(found, name=name)

    comparison = compare(run("a", early="fired", late="fired"), run("b", early="fired", late="silent"))
    (change,) = comparison.verdicts
    assert (change.key.fault, change.a, change.b) == ("late", "fired", "silent")
    assert (comparison.equal, comparison.exit_code) == (1, 1)
    assert "digits/even under late [cpu,ranks=1,float32] cell: Log.on_fit_end: fired → silent" in comparison.summary()
    comparison.write(tmp_path)
    jsonschema.validate(json.loads((tmp_path / "compare.json").read_text()), schema("compare"))


def test_a_verdict_that_changed_in_one_epoch_only(make_run: MakeRun, finding: MakeFinding) -> None:
    def verdicts(*each: str) -> tuple[EpochVerdict, ...]:
        return tuple(EpochVerdict(epoch, verdict, 0.5) for epoch, verdict in enumerate(each))

    a = make_run([finding(verdict="biased", per_epoch=verdicts("biased", "exact"))], name="a")
    b = make_run([finding(verdict="biased", per_epoch=verdicts("biased", "biased", "exact"))], name="b")
    changes = [(change.epoch, change.a, change.b) for change in compare(a, b).verdicts]
    assert changes == [(1, "exact", "biased"), (2, "not judged", "exact")]


def test_what_changed_in_one_pass_is_told_with_its_turn_and_why(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    def passes(last: EpochVerdict) -> list[Finding]:
        first = EpochVerdict(1, "wrong", 0.5, bound=0.0)
        return [finding(verdict="wrong", per_epoch=(first, last))]

    a = make_run(passes(EpochVerdict(1, "biased", 0.5, bound=0.0, turn=1)), name="a")
    b = make_run(passes(EpochVerdict(1, "wrong", 0.75, bound=0.0, turn=1, message="equals neither")), name="b")
    comparison = compare(a, b)
    (change,), (move,) = comparison.verdicts, comparison.moves
    assert (change.epoch, change.turn, change.message) == (1, 1, "equals neither")
    assert (move.epoch, move.turn) == (1, 1)
    assert "val_loss, epoch 1, turn 1: biased → wrong" in comparison.summary()
    assert "val_loss, epoch 1, turn 1: 0.5 → 0.75" in comparison.summary()
    comparison.write(tmp_path)
    text = (tmp_path / "compare.md").read_text()
    assert "| 1, turn 1 | biased | **wrong** | equals neither |" in text
    assert "| 1, turn 1 | 0.5 | 0.75 | 0.25 | 0 |" in text


def test_what_the_runs_were_not_asked_alike_is_told(
    make_run: MakeRun, finding: MakeFinding, manifest: dict[str, Any], tmp_path: Path
) -> None:
    def asked(name: str, **different: Any) -> RunDirectory:
        return make_run([finding()], name=name, arguments=manifest["arguments"] | different)

    a, b = asked("a", filters=["x/*", "a/*"]), asked("b", seed=7, device="cpu", filters=["a/*", "x/*"])
    comparison = compare(a, b)
    assert [str(asked) for asked in comparison.asked] == ["seed 0 in A, 7 in B", "device auto in A, cpu in B"]
    assert "\nnot asked alike: seed 0 in A, 7 in B; device auto in A, cpu in B\n" in comparison.summary()
    comparison.write(tmp_path)
    jsonschema.validate(json.loads((tmp_path / "compare.json").read_text()), schema("compare"))
    assert (
        "\nNot asked alike: seed 0 in A, 7 in B; device auto in A, cpu in B.\n" in (tmp_path / "compare.md").read_text()
    )
    (filters,) = compare(a, asked("c")).asked
    assert str(filters) == "filters a/* x/* in A, none in B"


def test_of_runs_that_were_asked_alike_nothing_is_told(make_run: MakeRun, finding: MakeFinding) -> None:
    a, b = make_run([finding()], name="a"), make_run([finding()], name="b", status="failed")
    comparison = compare(a, b)
    assert comparison.asked == ()
    assert "asked" not in comparison.summary()
    jsonschema.validate(comparison.to_json(), schema("compare"))


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (0.5, 0.5, False),
        (0.5, 0.515625, False),  # the sum of both bounds, exact in binary
        (0.5, 0.515626, True),
        (0.5, math.nan, True),
        (math.nan, math.nan, False),
        (math.inf, math.inf, False),
        (math.inf, -math.inf, True),
        (math.inf, 0.5, True),
    ],
)
def test_a_figure_moves_if_beyond_both_bounds(
    make_run: MakeRun, finding: MakeFinding, before: float, after: float, moved: bool
) -> None:
    a = make_run([finding(observed=before, bound=0.0078125)], name="a")
    b = make_run([finding(observed=after, bound=0.0078125)], name="b")
    comparison = compare(a, b)
    assert (len(comparison.moves), comparison.equal, comparison.exit_code) == (moved, not moved, int(moved))


def test_findings_of_one_run_only(make_run: MakeRun, finding: MakeFinding) -> None:
    few = make_run([finding()], name="few")
    many = make_run([finding(), finding(workload="digits/ragged"), finding(fault="raise")], name="many")
    lost, gained = compare(many, few), compare(few, many)
    assert (len(lost.only_in_a), lost.exit_code) == (2, 1)
    assert "2 findings missing in B" in lost.summary()
    assert (len(gained.only_in_b), gained.exit_code) == (2, 0)


def test_nothing_in_common(make_run: MakeRun, finding: MakeFinding) -> None:
    a = make_run([finding(placement="cpu,ranks=1,float32")], name="a")
    b = make_run([finding(placement="cuda,ranks=1,float32")], name="b")
    assert compare(a, b).exit_code == 3
    assert compare(make_run([], name="c"), make_run([], name="d")).exit_code == 3


def test_a_changed_claim(make_run: MakeRun, finding: MakeFinding) -> None:
    a = make_run([finding()], name="a", claims=[claim("holds")])
    b = make_run([finding()], name="b", claims=[claim("refuted")])
    comparison = compare(a, b)
    assert [(change.a, change.b) for change in comparison.claims] == [("holds", "refuted")]
    assert (comparison.equal, comparison.exit_code) == (1, 1)


def test_a_claim_that_one_run_did_not_decide_has_not_changed(make_run: MakeRun, finding: MakeFinding) -> None:
    a = make_run([finding()], name="a", claims=[claim("holds")])
    b = make_run([finding()], name="b", claims=[claim("undecided")])
    assert compare(a, b).exit_code == compare(b, a).exit_code == 0


def test_an_interrupted_run_lacks_claims_and_findings(make_run: MakeRun, finding: MakeFinding) -> None:
    a = make_run([finding(), finding(workload="digits/ragged")], name="a", claims=[claim("holds")])
    b = make_run([finding()], name="b", status="interrupted", environment={})
    b.claims.unlink()
    comparison = compare(a, b)
    assert (comparison.claims, comparison.exit_code) == ((), 1)
    assert "(interrupted)" in comparison.summary()


def test_the_summary_stays_short(make_run: MakeRun, finding: MakeFinding) -> None:
    a = make_run([finding(aggregate=f"metric {number}") for number in range(40)], name="a")
    b = make_run([finding(aggregate="metric 0")], name="b")
    lines = compare(a, b).summary().splitlines()
    assert len(lines) < 20
    assert lines[-1].strip() == "… and 29 more"


def test_what_is_written(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    a = make_run([finding(), finding(aggregate="x|y")], name="a", claims=[claim("holds")])
    b = make_run(
        [finding(observed=math.nan), finding(aggregate="x|y", verdict="raised", message="a | b\nc")],
        name="b",
        claims=[claim("refuted")],
    )
    out = tmp_path / "new" / "out"
    comparison = compare(a, b)
    comparison.write(out)
    written = json.loads((out / "compare.json").read_text())
    assert written == comparison.to_json()
    jsonschema.validate(written, schema("compare"))
    assert written["moves"][0]["b"] == "NaN"
    text = (out / "compare.md").read_text()
    assert text.startswith("# 1 verdict changed, 1 figure moved beyond the error bounds, 1 claim changed\n")
    assert r"a \| b c" in text
    assert r"`x\|y`" in text
    assert "\n\n\n" not in text


def test_writing_where_a_file_is(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    run = make_run([finding()])
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        compare(run, run).write(tmp_path / "file")
