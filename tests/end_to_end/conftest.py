"""The command line as a user runs it, and one small run that several tests look at."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def epoch_harness():
    """Call `epoch-harness` with arguments; whatever happens, it must not show a traceback."""

    def call(*arguments, cwd=None, env=None, preexec_fn=None):
        ran = subprocess.run(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            preexec_fn=preexec_fn,
        )
        assert "Traceback" not in ran.stdout + ran.stderr, ran.stderr
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    return call


@pytest.fixture(scope="session")
def small_run(epoch_harness, tmp_path_factory):
    """Document 001 on ragged batches: exact, biased and raised findings, all as expected."""
    out = tmp_path_factory.mktemp("small") / "run"
    ran = epoch_harness("run", "epoch_averaging/*@*/ragged", "--out", out)
    assert ran.code == 0, ran.out + ran.err
    return out
