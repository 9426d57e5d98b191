"""Processes that take turns, an epoch each: whatever slows the machine down for a while slows all of them down.

They sit in a ring of named pipes and hand on a token, which says how many of them, one after the other, are done.
Standard library only.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

PREFIX = "seconds by turns:"
OVER = 255


@dataclass(frozen=True)
class Seat:
    """One place in a ring.

    Attributes:
        folder: where its pipes are, by number: each process reads from that of its own.
        core: that all of them run on, since cores may not be equally busy; None for any.
    """

    folder: str
    number: int
    of: int
    core: int | None

    @property
    def measure(self) -> str:
        """As a trial is asked for it."""
        return PREFIX + json.dumps(asdict(self))

    @staticmethod
    def of_measure(measure: str) -> "Seat":
        return Seat(**json.loads(measure.removeprefix(PREFIX)))

    @property
    def pipe(self) -> Path:
        return Path(self.folder, str(self.number))

    @property
    def next_pipe(self) -> Path:
        return Path(self.folder, str((self.number + 1) % self.of))


class Turns:
    """Of the process that sits there."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._pipes: tuple[int, int] | None = None

    def take(self, done: bool) -> bool:
        """End one's turn and wait for the next; the first time, until all are ready to begin. Return whether it is
        over: all are done, or one of them is gone."""
        if self._pipes is None:
            if self._seat.core is not None:
                os.sched_setaffinity(0, {self._seat.core})
            self._pipes = os.open(self._seat.pipe, os.O_RDONLY), os.open(self._seat.next_pipe, os.O_WRONLY)
            self._wait()
            self._hand_on(0)
        else:
            self._hand_on(self._held + 1 if done else 0)
        self._wait()
        if self._held < self._seat.of:
            return False
        self._hand_on(OVER)
        return True

    def _wait(self) -> None:
        assert self._pipes is not None
        (self._held,) = os.read(self._pipes[0], 1)

    def _hand_on(self, done: int) -> None:
        assert self._pipes is not None
        os.write(self._pipes[1], bytes([done]))
