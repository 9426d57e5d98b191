"""What a step of a workflow on GitHub is told: its summary, annotations, and where scenarios are declared."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness import catalog as catalogs
from harness.cli import cli
from harness.comparison.differences import BIT, BREAKS, Difference, Key
from harness.comparison.result import Comparison, Side
from harness.errors import UsageError
from harness.findings import Finding
from harness.report.cut import COMMENT_BYTES, SUMMARY_BYTES
from harness.report.declared import declared_at
from harness.report.github import ERROR, WARNING, Annotation, commands, of_runs, summarise
from harness.report.runs import read
from harness.run_directory import RunDirectory
from harness.scenario_files import locator_of

MakeRun = Callable[..., RunDirectory]
MakeFinding = Callable[..., Finding]

CLAIM = {
    "claim": "001.mean", "statement": "It is the mean.", "source": "document 001", "verdict": "refuted",
    "expected_verdict": "holds", "as_expected": False,
    "conditions": [{"asked": "?", "met_on": [], "not_met_on": [], "numbers": {}, "trials": []}],
}  # fmt: skip


def report(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)], standalone_mode=False)


def a_history(run: RunDirectory, finding: Finding, locator: str) -> None:
    told = {"value": {"scenario": finding.scenario, "locator": locator}}
    run.history(finding.trial).write_text(json.dumps(told) + "\n")


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The summary of a step whose checkout is `tmp_path`."""
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    return summary


def test_outside_of_a_workflow_it_is_said_what_is_missing(
    make_run: MakeRun, finding: MakeFinding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    run = make_run([finding()])
    told = report(run.path, "--github").exception
    assert isinstance(told, UsageError)
    assert "GITHUB_STEP_SUMMARY is not set" in str(told)
    assert not (run.path / "report.md").exists()


def test_the_summary_is_appended_to(make_run: MakeRun, finding: MakeFinding, step: Path) -> None:
    step.write_text("before\n")
    run = make_run([finding()])
    assert report(run.path, "--github").output == f"report: {run.path / 'report.html'}\n"
    assert step.read_text().startswith("before\n# epoch-harness: Everything found is as expected\n")


@pytest.mark.parametrize("room", [0, 100, 3_000])
def test_a_summary_is_never_too_long(tmp_path: Path, room: int) -> None:
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * (SUMMARY_BYTES - room))
    summarise("# title\n" + "## one\nline\n" * 1_000, summary, "report.html")
    assert summary.stat().st_size <= SUMMARY_BYTES
    assert ("report.html" in summary.read_text()) == (room == 3_000)


def test_a_summary_that_cannot_be_written_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which GITHUB_STEP_SUMMARY names"):
        summarise("text", tmp_path / "nowhere" / "summary.md", "report.html")


def test_unexpected_findings_are_annotated_where_their_scenario_is_declared(
    make_run: MakeRun, finding: MakeFinding, step: Path, tmp_path: Path
) -> None:
    source = tmp_path / "mine.py"
    source.write_text('\nscenario(\n    pattern="averaging/manual", variant="migrated"\n)\n')
    wrong = finding(verdict="wrong", message="50 %\nof it")
    run = make_run([wrong, finding(aggregate="f1", verdict="wrong", trial=wrong.trial)], claims=[CLAIM])
    a_history(run, wrong, locator_of(source))
    lines = report(run.path, "--github").output.splitlines()
    assert lines[:2] == [
        "::error file=mine.py,line=2,title=run%3A averaging/manual/migrated is not as expected::"
        "aggregate: val_loss on digits/even is wrong, expected exact: 50 %25 of it%0A"
        "aggregate: f1 on digits/even is wrong, expected exact",
        "::error title=run%3A claim 001.mean is not as expected::refuted, expected holds: It is the mean.",
    ]


def test_what_could_not_be_decided_is_a_warning(make_run: MakeRun, finding: MakeFinding) -> None:
    (annotation,) = of_runs(read([make_run([finding(verdict="unknown")])]))
    assert (annotation.level, annotation.place) == (WARNING, None)


def test_of_very_many_findings_a_few_are_told(make_run: MakeRun, finding: MakeFinding) -> None:
    found = [finding(workload=f"w{n}", verdict="wrong", message="m" * 10_000) for n in range(100)]
    (annotation,) = of_runs(read([make_run(found)]))
    assert annotation.message.endswith("\n… and 95 more")
    assert len(annotation.message) < 4_000


def test_ten_errors_and_ten_warnings_are_shown_and_the_others_counted() -> None:
    many = [Annotation(level, f"{level} {n}", "why") for n in range(12) for level in (WARNING, ERROR)]
    lines = commands(many[:-1], Path("."))
    assert [line.startswith("::error") for line in lines] == [True] * 10 + [False] * 11
    assert [line.startswith("::warning") for line in lines] == [False] * 10 + [True] * 10 + [False]
    assert lines[-1] == "::notice title=epoch-harness::1 more error and 2 more warnings: see the summary of this step"
    assert len(commands(many[:20], Path("."))) == 20


def test_foreign_text_ends_no_command(tmp_path: Path) -> None:
    title, message = "a,b: 100%\n::error::no", "x: 1%\r\n::stop-commands::\x1b[2J"
    inside = tmp_path / "a,b:c.py"
    (line,) = commands([Annotation(ERROR, title, message, (inside, 3))], tmp_path)
    assert line == (
        "::error file=a%2Cb%3Ac.py,line=3,title=a%2Cb%3A 100%25 %3A%3Aerror%3A%3Ano::"
        "x: 1%25%0D%0A::stop-commands::\\x1b[2J"
    )


def test_what_is_declared_outside_of_the_checkout_has_no_place(tmp_path: Path) -> None:
    (line,) = commands([Annotation(ERROR, "t", "m", (Path("/elsewhere.py"), 3))], tmp_path)
    assert line == "::error title=t::m"


def test_scenarios_are_found_in_their_files_without_importing_them(tmp_path: Path) -> None:
    history = tmp_path / "h.jsonl"
    right = 0
    scenarios = catalogs.find().scenarios
    for scenario in scenarios.values():
        history.write_text(json.dumps({"value": {"scenario": scenario.id, "locator": scenario.locator}}) + "\n")
        found = declared_at(history)
        assert found is not None
        assert str(found[0]) == scenario.declared_at.rpartition(":")[0]
        right += f"{found[0]}:{found[1]}" == scenario.declared_at
    assert right >= 0.95 * len(scenarios)  # names may be put together in any way


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("raise SystemExit\n", 1),
        ('for v in ("migrated",):\n    declare("manual", v)\ndeclare("other", "migrated")\n', 2),
        ('NAME = "averaging/manual"\nscenario(pattern="averaging/x")\nscenario(pattern=NAME, variant="migrated")\n', 3),
    ],
)
def test_the_line_is_that_of_the_call_that_says_most_of_its_name(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path, source: str, line: int
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(source))
    run = make_run([finding()])
    a_history(run, finding(), locator_of(path))
    assert declared_at(run.history(finding().trial)) == (path, line)


@pytest.mark.parametrize(
    "history",
    ["", "{", "[]", '{"value": null}', '{"value": {"locator": "no.such.module", "scenario": "a/b/c"}}',
     '{"value": {"locator": "epoch_harness_file:/nowhere.py", "scenario": "a/b/c"}}',
     '{"value": {"locator": "", "scenario": "a/b/c"}}', '{"value": {"locator": 3, "scenario": "a/b/c"}}',
     '{"value": {"locator": "epoch_harness_file:README", "scenario": 3}}', "\u2028"],
)  # fmt: skip
def test_what_cannot_be_found_is_not(tmp_path: Path, history: str) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text(history, encoding="utf-8")
    assert declared_at(path) is None


def difference(kind: str, **changes: object) -> Difference:
    key = Key("averaging/manual/migrated", "digits/even", "none", "cpu,ranks=1,float32")
    return Difference(key, kind, "figure", "val_loss", "0.5", "0.25", **changes)  # type: ignore[arg-type]


@pytest.fixture
def upgraded(tmp_path: Path) -> Path:
    sides = (Side("2.5", "torch", "complete"), Side("2.6", "torch", "complete"))
    differences = (difference(BREAKS), difference(BREAKS, accepted="known"), difference(BIT))
    Comparison(*sides, compared=1, differences=differences).write(tmp_path / "upgrade", "upgrade")
    return tmp_path / "upgrade"


def test_an_upgrade_is_told_in_the_same_way(
    upgraded: Path, step: Path, make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text('scenario(pattern="averaging/manual", variant="migrated")\n')
    run = make_run([finding()], name="upgrade/candidate")
    a_history(run, finding(), locator_of(tmp_path / "mine.py"))
    assert report(upgraded, "--github").output.splitlines() == [
        "::error file=mine.py,line=1,title=breaks%3A val_loss::"
        "averaging/manual/migrated on digits/even: 0.5 in 2.5, 0.25 in 2.6",
        f"report: {upgraded / 'upgrade.md'}",
    ]
    assert step.read_text().startswith("# Regressions: 1 × breaks\n")
    assert (upgraded / "comment.md").read_text() == (upgraded / "upgrade.md").read_text()


def test_an_upgrade_whose_runs_are_gone_is_told_without_a_place(upgraded: Path, step: Path) -> None:
    assert report(upgraded, "--github").output.startswith("::error title=breaks%3A val_loss::")


def test_a_long_upgrade_is_cut_for_a_comment(upgraded: Path) -> None:
    whole = upgraded / "upgrade.md"
    whole.write_text(whole.read_text() + "".join(f"\n## {n}. Breaks\n\n{'x' * 200}\n" for n in range(1_000)))
    assert report(upgraded).exception is None
    comment = (upgraded / "comment.md").read_text()
    assert len(comment) <= COMMENT_BYTES
    assert comment.endswith("All of it is in upgrade.md.\n")


@pytest.mark.parametrize(("text", "message"), [("{", "cannot read"), ("{}", "required property")])
def test_an_upgrade_that_cannot_be_read_is_bad_usage(upgraded: Path, step: Path, text: str, message: str) -> None:
    (upgraded / "upgrade.json").write_text(text)
    told = report(upgraded, "--github").exception
    assert isinstance(told, UsageError)
    assert message in str(told)
