"""What goes wrong in a fit, and where: at an event of the process that trains or of one that validates.

Events are counted by nobody: they are named by where they are, epoch and batch, so that the same mishap is the same
moment in every run. What has happened is noted in the working folder, whichever process it happened to.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTES, HAPPENED = "mishaps.jsonl", "happened"

# In a process that validates.
STARTING = "starting"  # its loaders are made
IDLE = "idle"  # it waits for an epoch
BATCH = "batch"  # of a validation
SENDING = "sending"  # half of the message has been written
# In the process that trains.
TRAINING = "training"  # a batch
FORKED = "forked"  # it has just started a worker
LOGGING = "logging"  # figures of validation

ENDS = ("end", "late")  # of training, without anything wrong


class Planned(Exception):  # noqa: N818  # it is none
    """Is raised by a mishap."""


@dataclass(frozen=True)
class Mishap:
    """At an event, this.

    Attributes:
        what: `kill`, `stop`, `hang` or `raise`; in the process that trains also `interrupt` (SIGINT to its group, as a
            terminal does), `exit`, `end` (set `trainer.should_stop`), `late` (the time of its Timer is up).
        epoch: at which; None for any.
        times: how often it happens at most, in all processes together.
        after: so many others must have happened; it waits for them.
    """

    where: str
    what: str
    epoch: int | None = None
    batch: int = 1
    times: int = 1
    after: int = 0


class Pipe:
    """Tokens for any process that is in the working folder; there is none when it is made anew."""

    def __init__(self, name: str, *, new: bool = False) -> None:
        if new:
            os.mkfifo(name)
        self._file = os.open(name, os.O_RDWR)

    def __del__(self) -> None:
        os.close(self._file)

    def put(self, count: int = 1) -> None:
        os.write(self._file, b"." * count)

    def take(self) -> None:
        """Wait for one."""
        os.read(self._file, 1)


class Mishaps:
    """Of one fit, in the working folder."""

    def __init__(self, mishaps: Sequence[Mishap]) -> None:
        self._mishaps = mishaps

    def at(self, where: str, epoch: int | None = None, batch: int = 1, trainer: Any = None) -> None:
        """Call at every event."""
        for number, mishap in enumerate(self._mishaps):
            if mishap.where == where and mishap.epoch in (None, epoch) and mishap.batch == batch:
                self._happen(number, mishap, trainer)

    def is_due(self, where: str) -> bool:
        """Whether one may happen there, still."""
        return any(mishap.where == where and self._left(number) for number, mishap in enumerate(self._mishaps))

    def _left(self, number: int) -> list[str]:
        names = (f"mishap-{number}-{time}" for time in range(self._mishaps[number].times))
        return [name for name in names if not os.path.exists(name)]

    def _happen(self, number: int, mishap: Mishap, trainer: Any) -> None:
        for name in self._left(number):
            try:
                os.close(os.open(name, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            break
        else:
            return
        for _ in range(mishap.after):
            Pipe(HAPPENED).take()
        note(os.getpid(), mishap.what)
        Pipe(HAPPENED).put()
        _do(mishap.what, trainer)


def _do(what: str, trainer: Any) -> None:
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif what == "hang":
        threading.Event().wait()
    elif what == "interrupt":
        os.killpg(0, signal.SIGINT)
    elif what == "exit":
        raise SystemExit(3)
    elif what == "end":
        trainer.should_stop = True
    elif what == "late":
        (timer,) = (callback for callback in trainer.callbacks if type(callback).__name__ == "Timer")
        timer._duration = 0
    else:
        raise Planned(what)


def note(pid: int, what: str, folder: Path = Path()) -> None:
    """That this happens to a process now."""
    line = json.dumps({"pid": pid, "what": what, "time": time.monotonic()}) + "\n"
    with (folder / NOTES).open("a") as file:
        file.write(line)


def noted(folder: Path) -> list[dict[str, Any]]:
    path = folder / NOTES
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
