"""What the command line makes of its arguments by itself."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from errno import EACCES, ENOSPC
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click import BadParameter
from click.testing import CliRunner

import harness
from harness import catalog as catalogs
from harness.catalog import Catalog
from harness.cli import cli, main
from harness.environment import Environment
from harness.errors import UsageError
from harness.findings import Finding
from harness.help import HELP
from harness.listing import in_short
from harness.run_directory import RunDirectory
from harness.scenario import Scenario
from harness.verdicts import Verdicts
from harness.workloads.library import NAMES

DIGITS = [name for name in NAMES if name.startswith("digits/")]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In which scenarios are remembered."""
    monkeypatch.setenv("EPOCH_HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def runs(make_run: Callable[..., RunDirectory], finding: Callable[..., Finding]) -> tuple[Path, Path]:
    made = [make_run([finding()], name=name) for name in "ab"]
    for run in made:
        run.history(finding().trial).touch()
    return made[0].path, made[1].path


def call(*arguments: object) -> BaseException | None:
    """What it raised, if anything."""
    return CliRunner().invoke(cli, [*map(str, arguments)], standalone_mode=False).exception


def test_a_scenario_that_runs_on_some_of_its_workloads_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Scenario(
        pattern="a/mean", variant="control", source="", module=object, workloads=("digits/*", "adversarial/float16"),
        aggregates=(), framework="keras", hooks=(), expects=(), needs="", predictions_from="", trainer={},
        locator="pack.mean", declared_at="",
    )  # fmt: skip
    found = {"python": "3.11.7", "packages": {}, "module": "", "unavailable": "", "cuda": {"available": False}}
    warm = SimpleNamespace(environments={"keras": Environment(found)})
    monkeypatch.setattr(catalogs, "find", lambda: Catalog({listed.id: listed}))
    monkeypatch.setattr("harness.cli.engines", lambda *_: nullcontext(warm))
    (row,) = json.loads(CliRunner().invoke(cli, ["list", "--json"]).output)
    assert row["available"]
    assert "precision" in row["reason"]


def test_one_run_is_reported_in_its_own_folder(runs: tuple[Path, Path]) -> None:
    assert call("report", runs[0]) is None
    assert (runs[0] / "report.html").exists()


def test_several_runs_are_reported_in_a_folder_that_must_be_named(runs: tuple[Path, Path]) -> None:
    told = call("report", *runs)
    assert isinstance(told, UsageError)
    assert "--out" in str(told)
    assert not (runs[0] / "report.html").exists()


@pytest.mark.parametrize(("command", "of"), [("report", 1), ("report", 2), ("compare", 2)])
def test_a_folder_that_cannot_be_written_is_bad_usage(
    runs: tuple[Path, Path], tmp_path: Path, command: str, of: int
) -> None:
    (tmp_path / "file").touch()
    told = call(command, *runs[:of], "--out", tmp_path / "file" / "out")
    assert isinstance(told, UsageError)
    assert "cannot write to" in str(told)


@pytest.mark.parametrize(
    ("workloads", "shown"),
    [
        (DIGITS, ["digits/*"]),
        (DIGITS[:2], DIGITS[:2]),
        (DIGITS[:4], ["4 of digits/"]),
        ([*DIGITS, "adversarial/nan"], ["digits/*", "adversarial/nan"]),
        (["digits/train=2x32,validation=1"], ["digits/train=2x32,validation=1"]),
        (["*"], ["*"]),
    ],
)
def test_workloads_are_listed_in_short(workloads: list[str], shown: list[str]) -> None:
    assert in_short(workloads) == shown


def test_a_run_under_faults_is_summed_up_apart_from_the_figures(
    monkeypatch: pytest.MonkeyPatch, finding: Callable[..., Finding], tmp_path: Path
) -> None:
    hooks = {"on_fit_end": "fired", "teardown": "silent", "on_train_end": "fired"}
    found = (
        finding(),
        finding(fault="step.raise", verdict="wrong", expected_verdict="wrong"),
        *(finding(fault="step.raise", checker="cell", aggregate=hook, verdict=hooks[hook]) for hook in hooks),
    )
    result = SimpleNamespace(
        verdicts=Verdicts.of([found[:1], found[1:]]), decisions=(), unavailable=(), interrupted=False, retries=(),
        directory=RunDirectory(tmp_path), exit_code=0,
    )  # fmt: skip
    monkeypatch.setattr(catalogs, "find", Catalog)
    monkeypatch.setattr("harness.run.execute", lambda *_: result)
    lines = CliRunner().invoke(cli, ["run"]).output.splitlines()
    assert lines[:2] == ["figures: 1 exact", "faults:  1 trials, 3 cells: 2 fired, 1 silent, 0 stale"]


@pytest.mark.parametrize("budget", ["inf", "nan", "-1", "soon"])
def test_a_budget_is_a_number_of_seconds(budget: str, tmp_path: Path) -> None:
    told = call("upgrade", "2.5.6", "2.6.6", "--budget", budget, "--out", tmp_path / "out")
    assert isinstance(told, BadParameter)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("classes", ["", " ,", "worse"])
def test_what_fails_names_a_class(runs: tuple[Path, Path], classes: str) -> None:
    told = call("compare", *runs, "--fail-on", classes)
    assert isinstance(told, UsageError)
    assert "breaks" in str(told)


@pytest.mark.parametrize("command", cli.commands)
def test_the_help_of_each_command_has_examples_that_are_calls_and_exit_codes(command: str) -> None:
    text = CliRunner().invoke(cli, [command, "--help"], terminal_width=80).output
    calls = [line.split()[1:] for line in text.splitlines() if line.startswith("    epoch-harness ")]
    assert calls
    for call_ in calls:
        assert call_[0] == command
        options = {option for parameter in cli.commands[command].params for option in parameter.opts}
        assert {word for word in call_ if word.startswith("--")} <= options
    assert "\n  Exit codes:\n    0  " in text
    assert "\n    4  " in text


def test_the_overview_begins_with_what_comes_first_and_names_every_command() -> None:
    text = CliRunner().invoke(cli, ["--help"]).output
    assert {*cli.commands} == {*HELP}
    assert text.index("\n  list ") < text.index("\n  run ") < text.index("\n  upgrade ") < text.index("Begin with:")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["upgrad"], "'upgrade'"),
        (["run", "--sed", "1"], "'--seed'"),
        (["run", "epoch_avergaing/*"], "'epoch_averaging"),
    ],
)
def test_a_wrong_name_suggests_what_was_meant(
    arguments: list[str], meant: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["epoch-harness", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err.lower()
    assert f"did you mean {meant}" in told or ("did you mean one of" in told and meant in told)


def test_an_error_says_what_a_terminal_would_obey(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["epoch-harness", "run", "\x1b[2Jmissing.py"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == "epoch-harness: there is no scenario file \\x1b[2Jmissing.py\n"


MINE = """
from harness import Aggregate, scenario
from harness.oracle.quantities import mean_of_outputs

for variant in ("migrated", "recommended"):
    scenario(
        pattern="mine/mean", variant=variant, module=object,
        aggregates=[Aggregate("mean", of=mean_of_outputs, stage="train")],
    )
"""


@pytest.mark.parametrize(
    ("filters", "chosen"),
    [((), ["mine/mean/migrated", "mine/mean/recommended"]), (("mine/*/migrated",), ["mine/mean/migrated"])],
)
def test_a_filter_chooses_among_given_scenarios_too(
    filters: tuple[str, ...], chosen: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    asked: list[list[str]] = []

    def execute(catalog: Catalog, request: Any, *_: object) -> None:
        asked.append([each.id for each in catalog.select(request.filters)])
        raise KeyboardInterrupt

    monkeypatch.setattr(catalogs, "find", Catalog)
    monkeypatch.setattr("harness.run.execute", execute)
    call("run", "--scenarios", tmp_path / "mine.py", *filters, "--out", tmp_path / "out")
    assert asked == [chosen]


@pytest.mark.parametrize(
    ("error", "told", "code"),
    [
        (OSError(ENOSPC, "No space left on device", "out/findings.jsonl"), "out/findings.jsonl: No space left", 4),
        (OSError(ENOSPC, "No space left on device"), "the disk is full: make room, or name a folder on another", 4),
        (OSError(EACCES, "Permission denied", "out/findings.jsonl"), "what was written before is kept\n", 4),
        (KeyboardInterrupt(), "epoch-harness: interrupted\n", 3),
        (ValueError("what\x1b[2J"), r"the harness itself failed: ValueError: what\x1b[2J (EPOCH_HARNESS", 4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_ends_a_command_is_told_without_a_traceback(
    error: BaseException, told: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.delenv("EPOCH_HARNESS_TRACEBACK", raising=False)
    monkeypatch.setattr("sys.argv", ["epoch-harness", "run"])
    monkeypatch.setattr(catalogs, "find", Catalog)
    monkeypatch.setattr("harness.run.execute", fail)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "script",
    [
        "import runpy, sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'harness.catalog':\n"
        "            exec('raise KeyboardInterrupt')\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "runpy.run_module('harness', run_name='__main__')\n",
        "from harness import catalog, cli\n"
        "def interrupted(): exec('raise KeyboardInterrupt')\n"
        "catalog.find = interrupted\n"
        "import sys; sys.argv = ['epoch-harness', 'list']\n"
        "cli.main()\n",
    ],
    ids=["while the command line is imported", "while scenarios are"],
)
def test_an_interrupt_amid_what_is_executed_from_a_string_ends_with_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(harness.__file__).parents[1]))
    (tmp_path / "interrupted.py").write_text(script)
    call = [sys.executable, "-m", "interrupted"]
    ended = subprocess.run(call, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (ended.returncode, ended.stderr.strip()) == (3, "epoch-harness: interrupted")
