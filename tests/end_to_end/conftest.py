"""The command line as a user runs it, and one small run that several tests look at."""

import os
import subprocess
import sys
import warnings
from dataclasses import dataclass

import pytest

from harness import catalog, cli


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
def refused(tmp_path_factory):
    """As `epoch_harness`, for what is refused before anything starts: in a fork of this process, which imports the
    scenarios once, and not for seconds in each call."""
    catalog.find()

    def call(*arguments, cwd="."):
        folder = tmp_path_factory.mktemp("told")
        child = os.fork()
        if child == 0:
            code = 4
            try:
                os.chdir(cwd)
                warnings.resetwarnings()
                sys.argv = ["epoch-harness", *map(str, arguments)]
                with (folder / "out").open("w") as sys.stdout, (folder / "err").open("w") as sys.stderr:
                    cli.main()
            except SystemExit as end:
                code = end.code
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        ran = Ran(os.waitstatus_to_exitcode(status), (folder / "out").read_text(), (folder / "err").read_text())
        assert ran.code == 2, ran
        assert "Traceback" not in ran.out + ran.err, ran.err
        return ran

    return call


@pytest.fixture(scope="session")
def small_run(epoch_harness, tmp_path_factory):
    """Document 001 on ragged batches: exact, biased and raised findings, all as expected."""
    out = tmp_path_factory.mktemp("small") / "run"
    ran = epoch_harness("run", "epoch_averaging/*@*/ragged", "--out", out)
    assert ran.code == 0, ran.out + ran.err
    return out
