"""Runs trials on this machine: one warm parent per job, a fresh process per trial."""

import json
import os
import queue
import select
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import harness
from harness.engine.importable import link
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.errors import HarnessError
from harness.history.recorder import Recorder, drop_cut_off_line

DEFAULT_LIMIT_S = 60.0
START_S = 120.0  # that a parent may take to import its framework, on a machine that is busy
# One thread per trial: results must not depend on how many trials run side by side.
SINGLE_THREADED = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Job:
    """A trial and the files that belong to it.

    Attributes:
        judge: called with the outcome, the workload and the history on a worker elsewhere, so that whoever waits for
            many has less to do; None, or on this machine, nobody calls it.
    """

    trial: Trial
    workload: Path
    history: Path
    output: Path
    judge: Callable[["Outcome", Path, Path], Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """How a trial's process ended.

    Attributes:
        status: exit status, negative for a signal; None if the warm parent was lost with it.
        where: the line that it was at when its time ran out; empty if it did not, or if that is not known.
        peak_rss_bytes: as the kernel counted; None if the warm parent was lost.
        seconds: from fork to end.
        left_behind: how many processes it left running, which were killed.
        leftovers: the paths that it left where nothing removes them, and that were removed.
        kept: the lines of the file that the trial keeps; None if it keeps none, or if nobody could look.
        judged: what `Job.judge` returned; None if nobody called it.
    """

    trial: Trial
    status: int | None
    timed_out: bool
    limit_s: float
    where: str
    peak_rss_bytes: int | None
    seconds: float | None
    left_behind: int
    leftovers: list[str]
    kept: list[str] | None = None
    judged: Any = None

    def operation(self) -> dict[str, Any]:
        """As it stands in the history. Time is left out: the same trial has the same operation."""
        return {
            "status": self.status,
            "timed_out": self.timed_out,
            "limit_s": self.limit_s,
            "where": self.where,
            "peak_rss_bytes": self.peak_rss_bytes,
            "left_behind": self.left_behind,
            "leftovers": self.leftovers,
        }


class Parent:
    """The near end of a warm parent (`harness.engine.warm_parent`)."""

    def __init__(self, framework: str, python: str, log: IO[bytes] | int, folder: str, root: str) -> None:
        inherited = os.environ.get("PYTHONPATH", "")
        self._process = subprocess.Popen(
            [python, "-m", "harness.engine.warm_parent", framework, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C reaches the coordinator alone, which then ends the parents in order.
            start_new_session=True,
            env={
                **os.environ,
                **SINGLE_THREADED,
                "PYTHONPATH": os.pathsep.join(filter(None, [root, inherited])),
                "PYTHONSAFEPATH": "1",
                "TMPDIR": folder,
                "KERAS_HOME": os.path.join(folder, "keras"),  # it writes there when it is imported
            },
        )

    def ask(self, request: dict[str, Any], within_s: float) -> dict[str, Any] | None:
        """The reply, or None if the parent is gone, or does not answer in time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            ready, _, _ = select.select([self._process.stdout], [], [], within_s)
            line = self._process.stdout.readline() if ready else ""
        except (BrokenPipeError, ValueError):
            return None
        return json.loads(line) if line else None

    def how_it_ended(self) -> str:
        """Of one that gave no reply."""
        try:
            return _in_words(self._process.wait(1))
        except subprocess.TimeoutExpired:
            return "did not answer in time"

    def end(self) -> None:
        """End it, and the trial it may be running."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class LocalEngine:
    """Use as a context manager; leaving it ends every process it started.

    Args:
        jobs: how many trials run side by side. Outcomes come in the order of the jobs given, whatever it is.
        python: the interpreter whose environment is under test.
        packages: that scenarios come from, for an interpreter that may not find them by itself.
    """

    def __init__(
        self, framework: str, jobs: int = 1, python: str = sys.executable, limit_s: float = DEFAULT_LIMIT_S,
        log: IO[bytes] | int = subprocess.DEVNULL, packages: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._framework = framework
        self._python = python
        self._limit_s = limit_s
        self._log = log
        # Trials work in folders below this one; it goes when the engine ends, whatever became of them.
        self._folder = tempfile.TemporaryDirectory(prefix="epoch-harness-")
        self._root = Path(harness.__file__).parents[1]
        packages = list(packages)
        if python != sys.executable or packages:
            self._root = Path(self._folder.name, "imports")
            link([harness.__name__, *packages], self._root)
        self._alive: list[Parent] = []
        self._ending = False
        self._idle: queue.SimpleQueue[Parent] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(jobs)
        for _ in range(jobs):
            self._idle.put(self._start())

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        for parent in self._alive:
            parent.end()
        self._threads.shutdown(cancel_futures=True)
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        """Goes with the engine, even if the engine is killed."""
        return Path(self._folder.name)

    def _start(self) -> Parent:
        parent = Parent(self._framework, self._python, self._log, self._folder.name, str(self._root))
        self._alive.append(parent)
        return parent

    def environment(self) -> Environment:
        """What is installed there.

        Raises:
            HarnessError: the interpreter does not run the harness, or the framework takes it down.
        """
        parent = self._idle.get()
        reply = parent.ask({"environment": True}, START_S)
        self._idle.put(parent)
        if reply is None or "crashed" in reply:
            how = parent.how_it_ended() if reply is None else _in_words(reply["crashed"])
            log = "" if isinstance(self._log, int) else f"; what it printed is in {self._log.name}"
            raise HarnessError(f"{self._python}, asked what it has of {self._framework}, {how}{log}")
        return Environment(reply)

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run trials, and yield their outcomes in the order given. Closing the iterator early cancels the rest."""
        futures = deque(self._threads.submit(self._run_one, job) for job in jobs)
        try:
            while futures:
                yield futures.popleft().result()
        finally:
            for future in futures:
                future.cancel()

    def _run_one(self, job: Job) -> Outcome:
        parent = self._idle.get()
        limit_s = min(self._limit_s, job.trial.limit_s or self._limit_s)
        reply = parent.ask(
            {
                "trial": asdict(job.trial),
                # The trial works in a folder of its own.
                "workload": str(job.workload.resolve()),
                "history": str(job.history.resolve()),
                "output": str(job.output.resolve()),
                "limit_s": limit_s,
            },
            START_S + limit_s * job.trial.most_processes,
        )
        if reply is None and not self._ending:
            # The trial took its parent with it. The next trial gets a new one.
            self._alive.remove(parent)
            parent.end()
            parent = self._start()
        if reply is None:
            reply = {
                "status": None, "timed_out": False, "limit_s": limit_s, "where": "",
                "peak_rss_bytes": None, "seconds": None, "left_behind": 0, "leftovers": [],
            }  # fmt: skip
        self._idle.put(parent)
        outcome = Outcome(trial=job.trial, **reply)
        _close_history(job.history, outcome)
        return outcome


@dataclass(frozen=True)
class Engines:
    """An engine for each of several frameworks; made by :func:`engines`."""

    by_framework: dict[str, LocalEngine]
    retries = ()  # a parent that is lost is the trial's own doing
    in_a_row = 1  # as parents of all environments stay

    @cached_property
    def environments(self) -> dict[str, Environment]:
        """What is installed there, by framework; waits until the engines have started.

        Raises:
            HarnessError: as `LocalEngine.environment`.
        """
        return {framework: engine.environment() for framework, engine in self.by_framework.items()}

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """As `LocalEngine.run`; one framework works at a time, so that no more jobs run than were asked for."""
        for framework, group in groupby(jobs, key=lambda job: job.trial.framework):
            yield from self.by_framework[framework].run(list(group))


@contextmanager
def engines(
    frameworks: Iterable[str],
    jobs: int = 1,
    limit_s: float = DEFAULT_LIMIT_S,
    log: IO[bytes] | int = subprocess.DEVNULL,
    python: str = sys.executable,
    packages: Iterable[str] = (),
) -> Iterator[Engines]:
    """Start an engine for each framework, side by side; leaving ends whatever it started.

    Args:
        python: the interpreter whose environment is under test.
        packages: that scenarios come from (`Catalog.packages`), for an interpreter that may not find them by itself.
    """
    with ExitStack() as stack:
        started = {
            framework: stack.enter_context(LocalEngine(framework, jobs, python, limit_s, log, packages))
            for framework in frameworks
        }
        yield Engines(started)


def _in_words(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"left with exit status {status}"


def _close_history(path: Path, outcome: Outcome) -> None:
    """Drop a line that was cut off in the middle, and append what ranks wrote that were ended together, and how."""
    drop_cut_off_line(path)
    recorder = Recorder(path)
    recorder.gather(outcome.trial.ranks)
    if outcome.kept is not None:
        recorder.write("record", "info", {"lines": outcome.kept})
    recorder.write("exit", "info", outcome.operation())
    recorder.close()
