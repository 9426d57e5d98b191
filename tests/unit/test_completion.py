"""What a shell is told to complete; in bash, by bash itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import harness
from harness import completion
from harness.cli import cli
from harness.faults import library as faults
from harness.upgrade.baselines import VERSIONS
from harness.workloads.library import NAMES

SCENARIOS = ["averaging/manual/control", "averaging/manual/migrated", "hooks/end/migrated"]
DIABETES = [each for each in NAMES if each.startswith("diabetes/")]
HEAVY = ("torch", "tensorflow", "keras", "pytorch_lightning", "scenarios")
ROOT = Path(harness.__file__).parents[1]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EPOCH_HARNESS_CACHE", str(tmp_path / "cache"))
    completion.remember(SCENARIOS)
    return tmp_path / "cache" / completion.FILE


def test_what_cannot_be_read_is_written_anew(cache: Path) -> None:
    cache.write_bytes(b"\xff\xfe")
    completion.remember(SCENARIOS)
    assert json.loads(cache.read_text()) == SCENARIOS


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobodys() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("EPOCH_HARNESS_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobodys)
    completion.remember(SCENARIOS)
    assert completed("epoch-harness run averaging/manual", 2) == ["file,averaging/manual"]


def completed(words: str, number: int, shell: str = "bash") -> list[str]:
    """What is told for the word of that number, types aside; fish is told the word itself."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(number), "_EPOCH_HARNESS_COMPLETE": f"{shell}_complete"}
    done = CliRunner().invoke(cli, [], prog_name="epoch-harness", env=asked)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


@pytest.mark.parametrize(
    ("words", "number", "told"),
    [
        ("epoch-harness up", 1, ["upgrade"]),
        ("epoch-harness run averaging/", 2, SCENARIOS[:2]),
        ("epoch-harness list hooks", 2, SCENARIOS[2:]),
        ("epoch-harness bench hooks", 2, SCENARIOS[2:]),
        ("epoch-harness upgrade 2.5.6 2.6.6 hooks", 4, SCENARIOS[2:]),
        (
            "epoch-harness run 'averaging/*@diabetes/",
            2,
            [f"averaging/*@{each}" for each in NAMES if "diabetes/" in each],
        ),
        ("epoch-harness run averaging/* @ diabetes/", 4, [each for each in NAMES if each.startswith("diabetes/")]),
        ("epoch-harness run averaging/* @", 3, NAMES),
        ("epoch-harness run --fault step.ex", 3, [each for each in faults.NAMES if each.startswith("step.ex")]),
        ("epoch-harness upgrade 2.", 2, [each for each in VERSIONS if each.startswith("2.")]),
    ],
)
def test_names_are_completed(words: str, number: int, told: list[str]) -> None:
    assert told
    assert completed(words, number) == [f"plain,{each}" for each in told]


@pytest.mark.parametrize(
    "words", ["epoch-harness run mine", "epoch-harness run --fault mine", "epoch-harness upgrade mine"]
)
def test_what_is_no_name_may_be_a_file(words: str) -> None:
    assert completed(words, len(words.split()) - 1) == ["file,mine"]


@pytest.mark.parametrize("kept", ["", "{", "[1, null]", '{"a": 1}', "\xff"])
def test_what_is_kept_may_be_damaged(cache: Path, kept: str) -> None:
    cache.write_text(kept, encoding="latin-1")
    assert completed("epoch-harness run averaging", 2) == ["file,averaging"]


def test_where_nothing_can_be_kept_nothing_is(cache: Path) -> None:
    cache.unlink()
    cache.parent.rmdir()
    cache.parent.touch()
    completion.remember(SCENARIOS)
    assert completed("epoch-harness run averaging", 2) == ["file,averaging"]


def test_scenarios_are_remembered_as_they_are_now(cache: Path) -> None:
    completion.remember(SCENARIOS[1:])
    assert json.loads(cache.read_text()) == SCENARIOS[1:]


@pytest.mark.parametrize(("shell", "registers"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --")])
def test_each_shell_has_its_script(shell: str, registers: str) -> None:
    script = CliRunner().invoke(cli, ["completion", shell]).output
    assert registers in script
    assert f"_EPOCH_HARNESS_COMPLETE={shell}_complete" in script


def in_bash(folder: Path, program: str, words: str) -> subprocess.CompletedProcess[str]:
    """The last of some words completed by bash, with `program` for the command's."""
    command = folder / "epoch-harness"
    command.write_text(f"#!/bin/sh\nexec '{sys.executable}' {program} \"$@\"\n")
    command.chmod(0o755)
    (folder / "script").write_text(CliRunner().invoke(cli, ["completion", "bash"]).output)
    call = f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _epoch_harness_completion '{command}'"
    text = f"source '{folder}/script'; {call}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, env=environment, check=True)


def test_bash_completes_without_what_takes_long_to_import(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import atexit, sys\n"
        f"atexit.register(lambda: sys.stderr.write(' '.join({{*{HEAVY}}} & {{*sys.modules}})))\n"
        "from harness.cli import main\n"
        "main()\n"
    )
    done = in_bash(tmp_path, f"'{tmp_path / 'main.py'}'", "epoch-harness run averaging/manual/m")
    assert done.stdout.split() == ["averaging/manual/migrated"]
    assert done.stderr == ""
