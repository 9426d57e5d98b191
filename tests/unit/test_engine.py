"""Engines that cannot say what is installed: told with what happened to them, and where it can be read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.engine.local import LocalEngine
from harness.engine.warm_parent import environment
from harness.errors import HarnessError

LEAVES = "raise SystemExit(0)"
KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
# The parent imports the framework to be warm, and only the child that is asked goes down.
KILLED_WHEN_ASKED = """
import os, signal
parent = int(os.environ.setdefault("PARENT", str(os.getpid())))
if os.getpid() != parent:
    os.kill(os.getpid(), signal.SIGSEGV)
raise ImportError
"""


@pytest.mark.parametrize(
    ("imported", "told"),
    [
        (LEAVES, "left with exit status 0"),
        (KILLED, "was killed by signal 9"),
        (KILLED_WHEN_ASKED, "was killed by signal 11"),
    ],
)
def test_a_framework_that_takes_its_process_down_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imported: str, told: str
) -> None:
    (tmp_path / "torch.py").write_text(imported)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with (
        (tmp_path / "engine.txt").open("wb") as log,
        LocalEngine("torch", log=log) as engine,
        pytest.raises(HarnessError, match=rf"asked what it has of torch, {told}; .*engine\.txt"),
    ):
        engine.environment()


def test_of_what_is_imported_it_is_said_what_that_is_and_not_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpy.__version__", "0.1")
    assert environment("none of ours")["packages"]["numpy"] == "0.1"


def test_an_interpreter_that_is_none_is_told_by_how_it_left() -> None:
    with LocalEngine("torch", python="/bin/false") as engine, pytest.raises(HarnessError, match=r"exit status 1$"):
        engine.environment()


def test_what_an_engine_made_goes_with_it_even_if_it_is_killed():
    code = """
import sys
from harness.engine.local import LocalEngine

with LocalEngine("torch", log=sys.stdout.fileno()) as engine:
    engine.environment()
    print(engine.folder, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        folder = Path(one.stdout.readline().strip())
        assert folder.is_dir()
        one.kill()
        one.stdout.read()  # to its end, which is that of the warm parent
    assert not folder.exists()
