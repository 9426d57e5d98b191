"""What a run leaves behind, and what it says when it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.history import reader
from harness.run_directory import RunDirectory
from harness.schemas import schema

ROOT = Path(__file__).parents[2]


def findings(folder):
    return RunDirectory.open(folder).read_findings()


def test_a_run_directory_holds_what_is_documented(small_run):
    held = {path.name for path in small_run.iterdir()}
    assert held >= {
        "manifest.json", "findings.jsonl", "histories", "timings.jsonl", "claims.json",
        "report.html", "report.md", "junit.xml",
    }  # fmt: skip


def test_every_file_of_a_run_follows_its_schema(small_run):
    jsonschema = pytest.importorskip("jsonschema")
    directory = RunDirectory.open(small_run)
    assert directory.read_findings()
    assert directory.read_timings()
    assert directory.read_claims()
    validator = jsonschema.Draft202012Validator(schema("operation"))
    for history in (small_run / "histories").iterdir():
        for line in history.read_text().splitlines():
            validator.validate(json.loads(line))


def test_a_run_finds_exact_biased_and_raised_as_expected(small_run):
    found = findings(small_run)
    assert {finding.verdict for finding in found} >= {"exact", "biased", "raised"}
    assert all(finding.as_expected for finding in found)


def test_the_manual_average_is_biased_by_exactly_what_is_predicted(small_run):
    found = [
        finding
        for finding in findings(small_run)
        if finding.scenario == "epoch_averaging/manual_average/migrated"
        and finding.aggregate == "train_epoch_loss"
        and finding.checker == "aggregate"
    ]
    assert [finding.verdict for finding in found] == ["biased"]
    assert abs(found[0].observed - found[0].prediction) <= found[0].bound < abs(found[0].bias)


def test_evidence_names_the_lines_of_the_history(small_run):
    finding = next(finding for finding in findings(small_run) if finding.verdict == "biased")
    operations = reader.read(small_run / "histories" / f"{finding.trial}.jsonl").operations
    assert operations[finding.evidence[-1] - 1].f == "logger"


def test_findings_do_not_depend_on_how_many_trials_run_side_by_side(epoch_harness, small_run, tmp_path):
    again = epoch_harness("run", "epoch_averaging/*@*/ragged", "--jobs", "2", "--out", tmp_path / "run")
    assert again.code == 0
    assert (tmp_path / "run" / "findings.jsonl").read_bytes() == (small_run / "findings.jsonl").read_bytes()


def test_another_seed_gives_other_numbers_and_the_same_verdicts(epoch_harness, small_run, tmp_path):
    out = tmp_path / "run"
    other = epoch_harness("run", "epoch_averaging/*@*/ragged", "--jobs", "2", "--seed", "7", "--out", out)
    assert other.code == 0
    before, after = findings(small_run), findings(out)
    assert [finding.verdict for finding in before] == [finding.verdict for finding in after]
    assert [finding.observed for finding in before] != [finding.observed for finding in after]


def test_ctrl_c_leaves_a_readable_run_marked_as_interrupted(epoch_harness, tmp_path):
    out = tmp_path / "run"
    running = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", "epoch_averaging/*", "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"},
        # A shell starts what it puts in the background with Ctrl-C ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    for line in running.stdout:
        if " of " in line:
            break
    running.send_signal(signal.SIGINT)
    rest, errors = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "interrupted" in rest
    assert "Traceback" not in errors
    assert RunDirectory.open(out).read_manifest()["status"] == "interrupted"
    assert findings(out)
    reported = epoch_harness("report", out)
    assert reported.code == 3
    assert "The run was interrupted" in reported.err


def test_compare_sees_no_difference_between_a_run_and_itself(epoch_harness, small_run):
    assert epoch_harness("compare", small_run, small_run).code == 0


def test_several_runs_are_reported_side_by_side(epoch_harness, small_run, tmp_path):
    ran = epoch_harness("report", small_run, small_run, "--out", tmp_path)
    assert ran.code == 0
    assert {path.name for path in tmp_path.iterdir()} >= {"report.html", "report.md", "junit.xml"}


def test_the_scenarios_in_the_documentation_run(epoch_harness, tmp_path):
    pages = [ROOT / "README.md", ROOT / "docs" / "scenarios.md"]
    codes = [part.split("```")[0] for page in pages for part in page.read_text().split("```python\n")[1:]]
    for number, code in enumerate(codes):
        (tmp_path / f"scenario_{number}.py").write_text(code)
    ran = epoch_harness("run", *sorted(path.name for path in tmp_path.glob("*.py")), "--out", "run", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    verdicts = {
        (each.scenario, each.workload): each.verdict
        for each in findings(tmp_path / "run")
        if each.checker == "aggregate"
    }
    assert verdicts["mine/means/migrated", "digits/ragged"] == "biased"
    assert verdicts["mine/accuracy/recommended", "digits/ragged"] == "exact"
    assert {scenario.split("/")[1] for scenario, _ in verdicts} >= {"accuracy", "loop", "means"}


def test_the_users_own_code_in_the_documentation_is_judged_by_what_it_predicted(epoch_harness, tmp_path):
    page = (ROOT / "docs" / "own_code.md").read_text()
    for name, part in zip(("my_project.py", "mine.py"), page.split("```python\n")[1:], strict=True):
        (tmp_path / name).write_text(part.split("```")[0])
    assert len((tmp_path / "mine.py").read_text().splitlines()) < 20
    ran = epoch_harness("run", "mine.py", "--out", "run", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    unexpected = [each for each in findings(tmp_path / "run") if not each.as_expected]
    assert [(each.checker, each.aggregate, each.verdict) for each in unexpected] == [
        ("aggregate", "val_f1", "wrong"),
        ("metric_state", "f1 (validation)", "violated"),
    ]
    exact = next(each for each in findings(tmp_path / "run") if each.aggregate == "val_accuracy")
    assert (exact.verdict, len(exact.per_epoch)) == ("exact", 2)


def test_list_is_readable_by_programs(epoch_harness):
    rows = json.loads(epoch_harness("list", "epoch_end_hooks/*", "--json").out)
    row = next(row for row in rows if row["scenario"] == "epoch_end_hooks/basic_metric/migrated")
    assert row["available"]
    assert "000.reset-prevents-leakage" in row["claims"]
