"""The far end of `harness.engine.ray_engine`: what a worker of a cluster does. It needs no Ray."""

import atexit
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from harness.engine.local import Job, LocalEngine, Outcome
from harness.engine.trial import Trial
from harness.environment import Environment


@dataclass(frozen=True)
class Returned:
    """What comes back of a trial: how it ended, its history and what it printed, whole."""

    outcome: Outcome
    history: bytes
    output: bytes


def environment(framework: str, packages: tuple[str, ...], limit_s: float) -> Environment:
    """As `LocalEngine.environment`, of the worker's node."""
    return _engine(framework, packages, limit_s).environment()


def interpreter() -> str:
    return sys.executable


def carry_out(
    trial: Trial,
    workload: bytes,
    packages: tuple[str, ...],
    limit_s: float,
    judge: Callable[[Outcome, Path, Path], Any] | None,
) -> Returned:
    """Run a trial in a process of its own, forked from a warm parent of this worker.

    Args:
        workload: as `Workload.save` writes it.
        judge: as `Job.judge`.
    """
    engine = _engine(trial.framework, packages, limit_s)
    with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
        place = Path(folder)
        job = Job(trial, place / "workload.npz", place / "history.jsonl", place / "output.txt")
        job.workload.write_bytes(workload)
        (outcome,) = engine.run([job])
        output = job.output.read_bytes() if job.output.exists() else b""
        if judge is not None:
            with suppress(Exception):  # the scenario may not import here, say: then whoever asked for it can judge it
                outcome = replace(outcome, judged=judge(outcome, job.workload, job.history))
        return Returned(outcome, job.history.read_bytes(), output)


@cache
def _engine(framework: str, packages: tuple[str, ...], limit_s: float) -> LocalEngine:
    """A worker does one task after the other, so that its engine stays warm from one to the next."""
    engine = LocalEngine(framework, limit_s=limit_s, packages=packages, log=sys.stderr.fileno())
    atexit.register(engine.__exit__, None, None, None)
    return engine
