"""A process of its own that evaluates what it is handed, one job after the other, and a thread that watches it.

What evaluating means is the caller's; no framework is imported here. The process is spawned: a framework
that has threads does not survive a fork.
"""

import atexit
import multiprocessing
import os
import pickle
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness.parallel.outcome import Outcome, Status

# How long a process that has closed its end of the pipe may take to end by itself, and so to tell its exit status.
_AFTER_EOF_S = 1.0

Evaluate = Callable[[Path], tuple[str, dict[str, float]]]


@dataclass(frozen=True)
class Job:
    """The weights of one epoch, in a file that is there and whole, and a digest of them."""

    epoch: int
    step: int
    weights: Path
    digest: str


class Sidecar:
    """Evaluates jobs in order, in one process that lives until :meth:`close`.

    Every job that was submitted becomes exactly one outcome, whatever happens to the process: if it dies, the job is
    given to a new one, `retries` times at most.

    Args:
        make: called once in every process, and picklable; returns what evaluates: a function from a job's file to
            the digest of the weights that it evaluated, and the figures.
        folder: of the weights' files, which are removed as they are done with; all of it, if this process is killed.
        retries: how often a job is given to a new process because the one that had it died.
        time_limit: seconds that one evaluation may take, before its process is killed; None for any.
        latest: of the jobs that wait only the newest is evaluated, and the others are skipped.
    """

    def __init__(
        self, make: Callable[[], Evaluate], folder: Path, retries: int, time_limit: float | None, latest: bool
    ) -> None:
        self._make, self._folder = make, folder
        self._pickled = b""
        self._retries, self._time_limit, self._latest = retries, time_limit, latest
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._open = 0  # jobs that have no outcome yet
        self._outcomes: deque[Outcome] = deque()
        self._given_up: tuple[Status, str] | None = None  # the status and reason of whatever is left
        self._worker: _Worker | None = None
        self._watching = threading.Thread(target=self._watch, name="sidecar", daemon=True)

    def start(self) -> None:
        """Return at once, while the process starts.

        Raises:
            TypeError: `make` cannot be pickled.
        """
        try:
            self._pickled = pickle.dumps(self._make)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(f"cannot be sent to another process: {error}") from error
        self._worker = _Worker(self._pickled, self._folder)
        self._watching.start()
        atexit.register(self.close)

    @property
    def process(self) -> int | None:
        """The id of the process; None while there is none."""
        worker = self._worker
        return worker.pid if worker else None

    def submit(self, job: Job) -> None:
        with self._changed:
            self._waiting.append(job)
            self._open += 1
            self._changed.notify_all()

    def finished(self) -> list[Outcome]:
        """Those that have not been given yet, in the order of their jobs. Waits for nothing."""
        with self._changed:
            given, self._outcomes = list(self._outcomes), deque()
            return given

    def drain(self, limit: float | None = None) -> None:
        """Wait until every job has an outcome; those that have none after so many seconds have timed out."""
        with self._changed:
            in_time = self._changed.wait_for(lambda: self._open == 0, limit)
        if not in_time:
            self._give_up("timed out", f"not done {limit} s after the end of training")

    def close(self) -> None:
        """End the process; what has no outcome is skipped. May be called again."""
        self._give_up("skipped", "closed before it was validated")

    def _give_up(self, status: Status, reason: str) -> None:
        atexit.unregister(self.close)
        with self._changed:
            self._given_up = self._given_up or (status, reason)
            if self._worker:
                self._worker.kill()
            self._changed.notify_all()
        if self._watching.ident is not None:
            self._watching.join()

    def _watch(self) -> None:
        while job := self._next():
            outcome = self._judge(job)
            job.weights.unlink(missing_ok=True)
            with self._changed:
                self._outcomes.append(outcome)
                self._open -= 1
                self._changed.notify_all()
        self._lose_worker()

    def _next(self) -> Job | None:
        """Waits for one; None once it is closed and none is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._given_up)
            return self._waiting.popleft() if self._waiting else None

    def _judge(self, job: Job) -> Outcome:
        def ended(status: Status, reason: str = "", metrics: Mapping[str, float] | None = None) -> Outcome:
            return Outcome(job.epoch, job.step, status, metrics or {}, reason, job.digest, tries)

        deaths = tries = 0
        while deaths <= self._retries:
            with self._changed:
                if self._given_up:
                    return ended(*self._given_up)
            try:
                worker = self._ready_worker()
                if self._latest and self._waiting:
                    return ended("skipped", "newer weights were there first")
                tries += 1
                status, *told = worker.evaluate(job.weights, self._time_limit)
            except TimeoutError:
                worker.kill()
                self._lose_worker()
                return ended("timed out", f"not done within {self._time_limit} s")
            except (EOFError, OSError) as error:
                how = self._lose_worker() or f"did not start: {error}"
                deaths += not self._given_up
                continue
            if status == "failed":
                return ended("failed", told[0])
            digest, metrics = told
            if digest != job.digest:
                return ended("failed", "the weights that were evaluated are not those of the epoch")
            return ended("ok", metrics=metrics)
        return ended("failed", f"the process that validated it {how} ({deaths} times)")

    def _ready_worker(self) -> "_Worker":
        """Started anew if there is none.

        Raises:
            EOFError, OSError: it has died, or cannot be started.
        """
        with self._changed:
            worker = self._worker = self._worker or _Worker(self._pickled, self._folder)
        worker.wait_until_ready()
        return worker

    def _lose_worker(self) -> str:
        """In words, how it ended."""
        with self._changed:
            worker, self._worker = self._worker, None
        return worker.end() if worker else ""


class _Worker:
    """The near end of the process."""

    def __init__(self, make: bytes, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far, make, folder), name="sidecar", daemon=True)
        try:
            self._process.start()
        finally:
            far.close()
        self.pid = self._process.pid
        self._ready = False

    def wait_until_ready(self) -> None:
        """As `evaluate`."""
        if not self._ready:
            self._ready = self._connection.recv()

    def evaluate(self, weights: Path, limit: float | None) -> tuple[Any, ...]:
        """`ok`, a digest and the figures; or `failed` and why.

        Raises:
            TimeoutError: it took longer than the limit.
            EOFError, OSError: the process has died.
        """
        self._connection.send(weights)
        if not self._connection.poll(limit):
            raise TimeoutError
        reply: tuple[Any, ...] = self._connection.recv()
        return reply

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> str:
        """At once; in words, how it ended if it was dead already."""
        self._process.join(_AFTER_EOF_S)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self._process.close()
        self._connection.close()
        return f"was killed by signal {-code}" if code and code < 0 else f"left with exit status {code}"


def _serve(connection: Connection, make: bytes, folder: Path) -> None:
    """The process: evaluates until it is killed, or its parent is.

    Args:
        make: pickled, because unpickling it may take seconds of imports, which the end of the parent cuts short.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, which ends this
    ending = threading.Thread(target=_end_with_parent, args=(folder,), daemon=True)
    ending.start()
    try:
        _answer(connection, make)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        ending.join()


def _answer(connection: Connection, make: bytes) -> None:
    """Raises:
    EOFError, OSError: nobody is at the other end any more.
    """
    broken = ""
    try:
        evaluate = pickle.loads(make)()
    except Exception as error:  # noqa: BLE001  # a user's code; it is told
        broken = f"cannot be started: {_told(error)}"
    connection.send(True)
    while True:
        weights = connection.recv()
        try:
            reply = ("failed", broken) if broken else ("ok", *evaluate(weights))
        except Exception as error:  # noqa: BLE001  # as above
            reply = ("failed", _told(error))
        connection.send(reply)


def _end_with_parent(folder: Path) -> None:
    """Which may have been killed; then nobody else removes the folder, or ends an evaluation that hangs."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
