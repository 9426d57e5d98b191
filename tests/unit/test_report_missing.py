"""Reports on runs that are not whole: what there is is shown, what is missing is named, and the exit code says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from junitparser import JUnitXml

from harness.cli import cli
from harness.errors import UsageError
from harness.findings import Finding
from harness.report.runs import headline, read
from harness.run_directory import SCHEMA_VERSION, RunDirectory

MakeFinding = Callable[..., Finding]

CLAIM: dict[str, Any] = {
    "claim": "001.mean", "statement": "It is the mean.", "source": "document 001", "verdict": "holds",
    "expected_verdict": "holds", "as_expected": True,
    "conditions": [{"asked": "?", "met_on": [], "not_met_on": [], "numbers": {}, "trials": []}],
}  # fmt: skip


@pytest.fixture
def run(make_run: Callable[..., RunDirectory], finding: MakeFinding) -> RunDirectory:
    """Three trials, each with a finding, a timing and a history; and a claim."""
    findings = [finding(workload=f"digits/{name}") for name in "abc"]
    directory = make_run(findings, claims=[CLAIM])
    timing = {"scenario": findings[0].scenario, "environment": "", "samples": [0.5], "counters": {}}
    for found in findings:
        directory.append(directory.timings, {**timing, "trial": found.trial, "peak_rss_bytes": None})
    return directory


def report(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)], standalone_mode=False)


def told(run: RunDirectory) -> str:
    """What is said on standard error of a run that is not whole, and in all its reports."""
    result = report(run.path)
    assert result.exit_code == 3
    prefix = "run is not whole: "
    missing = [line.removeprefix(prefix) for line in result.stderr.splitlines() if line.startswith(prefix)]
    markdown = (run.path / "report.md").read_text().replace("\\", "")
    html = (run.path / "report.html").read_text().replace("&#39;", "'").replace("&#34;", '"')
    (suite,) = JUnitXml.fromfile(run.path / "junit.xml")
    errors = "; ".join(case.result[0].message for case in suite if case.is_error)
    for each in missing:
        assert each in markdown
        assert each in html
        assert each in errors
    return "\n".join(missing)


def test_a_whole_run_lacks_nothing(run: RunDirectory) -> None:
    result = report(run.path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert headline(read([run])[0]).tone == "good"


def test_an_empty_folder_is_no_run(tmp_path: Path) -> None:
    error = report(tmp_path).exception
    assert isinstance(error, UsageError)
    assert "holds no manifest.json" in str(error)


def test_a_run_that_had_only_begun(run: RunDirectory, manifest: dict[str, Any]) -> None:
    begun = {"status": "running", "environment": {}, "counts": {}, "unavailable": []}
    run.replace_json(run.manifest, manifest | begun)
    for path in (run.findings, run.claims, run.timings):
        path.unlink()
    assert told(run) == "The run has not ended, or was killed: 0 trials were judged; claims were not decided."


def test_an_interrupted_run_is_shown_as_far_as_it_got(run: RunDirectory, manifest: dict[str, Any]) -> None:
    run.replace_json(run.manifest, manifest | {"status": "interrupted", "counts": manifest["counts"] | {"trials": 7}})
    run.claims.unlink()
    assert told(run) == "The run was interrupted: 3 of 7 trials were judged; claims were not decided."
    assert "digits/c" in (run.path / "report.md").read_text()


def test_a_cut_off_last_line(run: RunDirectory) -> None:
    run.findings.write_bytes(run.findings.read_bytes()[:-10])
    said = told(run)
    assert f"{run.findings} ends in a line that was cut off" in said
    assert f"{run.findings} holds 2 of 3 findings" in said
    assert "digits/b" in (run.path / "report.md").read_text()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"trial": "cut', "findings.jsonl, record 2 is not JSON: "),
        (b"\xff\xfe\x00", "cannot read "),
        (b"[" * 100_000, "findings.jsonl, record 2 is not JSON: "),
        (b"{}", "findings.jsonl, record 2, at $: "),
        (b"", "findings.jsonl, record 2 is not JSON: "),
    ],
    ids=["cut", "no text", "deep", "another record", "empty"],
)
def test_a_corrupt_line_in_the_middle(run: RunDirectory, line: bytes, why: str) -> None:
    first, _, third, end = run.findings.read_bytes().split(b"\n")
    run.findings.write_bytes(b"\n".join([first, line, third, end]))
    said = told(run)
    assert why in said
    assert "; 1 line is left out" in said
    text = (run.path / "report.md").read_text()
    assert "digits/a" in text
    assert "digits/c" in text
    assert "digits/b" not in text


def test_of_many_corrupt_lines_the_first_is_told(run: RunDirectory) -> None:
    run.timings.write_text("{}\n" * 3)
    assert "timings.jsonl, record 1, at $: " in told(run)
    assert "; 3 lines are left out" in told(run)


def test_histories_that_are_gone(run: RunDirectory, finding: MakeFinding) -> None:
    run.history(finding(workload="digits/a").trial).unlink()
    assert told(run) == f"the history is gone of trial {finding(workload='digits/a').trial}"
    run.history(finding(workload="digits/b").trial).unlink()
    assert told(run) == f"the history is gone of 2 trials, first of all {finding(workload='digits/a').trial}"


def test_findings_that_are_gone(run: RunDirectory) -> None:
    run.findings.unlink()
    assert told(run) == f"{run.findings} holds 0 of 3 findings"


def test_timings_that_are_gone(run: RunDirectory, finding: MakeFinding) -> None:
    *_, last = run.timings.read_text().splitlines()
    run.timings.write_text(f"{last}\n")
    assert told(run) == f"{run.timings} says nothing of 2 trials, first of all {finding(workload='digits/a').trial}"
    run.timings.unlink()
    assert "says nothing of 3 trials" in told(run)


def test_claims_that_are_gone(run: RunDirectory) -> None:
    run.claims.unlink()
    assert told(run) == f"{run.claims} is gone"


@pytest.mark.parametrize("name", ["claims", "overlap"])
@pytest.mark.parametrize(("text", "why"), [("[", "is not JSON: "), ("[3]", ", record 1, at $")])
def test_a_corrupt_file(run: RunDirectory, name: str, text: str, why: str) -> None:
    path: Path = getattr(run, name)
    path.write_text(text)
    assert f"{path}{' ' if why.startswith('is') else ''}{why}" in told(run)


def test_a_newer_run_is_left_to_the_harness_that_wrote_it(run: RunDirectory, manifest: dict[str, Any]) -> None:
    newer = {"schema_version": SCHEMA_VERSION + 1, "harness_version": "9.8.7", "news": True}
    run.replace_json(run.manifest, manifest | newer)
    error = report(run.path).exception
    assert isinstance(error, UsageError)
    assert f"has schema version {SCHEMA_VERSION + 1}; this harness reads {SCHEMA_VERSION}" in str(error)
    assert "with the harness that wrote it, 9.8.7" in str(error)


def test_of_several_runs_the_one_is_named_that_is_not_whole(
    run: RunDirectory, make_run: Callable[..., RunDirectory], finding: MakeFinding, tmp_path: Path
) -> None:
    whole = make_run([finding()], name="whole")
    run.claims.unlink()
    result = report(whole.path, run.path, "--out", tmp_path / "both")
    assert result.exit_code == 3
    assert result.stderr == f"run is not whole: {run.claims} is gone\n"


def test_what_is_missing_is_told_in_a_line_each(make_run: Callable[..., RunDirectory], finding: MakeFinding) -> None:
    """Nobody can have GitHub, or a terminal, obey what a run calls its trials."""
    run = make_run([finding(trial="a\n::warning::b")])
    run.history("a\n::warning::b").unlink()
    lines = report(run.path).stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("run is not whole: the history is gone")


def test_what_is_missing_is_a_warning_on_github(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    run.claims.unlink()
    assert f"::warning title=run is not whole::{run.claims} is gone" in report(run.path, "--github").output
