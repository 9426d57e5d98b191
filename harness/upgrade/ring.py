"""Has the processes of several warm parents take turns (`harness.frameworks.turns`)."""

import os
import tempfile
from pathlib import Path
from types import TracebackType

from harness.frameworks.turns import OVER, Seat


class Ring:
    """Pipes for so many processes, which begin once all of them are there. Use as a context manager: leaving it ends
    what they do by turns.

    Args:
        folder: below which the pipes are made.
    """

    def __init__(self, folder: Path, size: int, core: int | None) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=folder)
        self.seats = [Seat(self._folder.name, number, size, core) for number in range(size)]
        for seat in self.seats:
            os.mkfifo(seat.pipe)
        # Open at both ends as long as the ring is there: nobody waits to open one, or finds it closed.
        self._pipes = [os.open(seat.pipe, os.O_RDWR) for seat in self.seats]

    def __enter__(self) -> "Ring":
        os.write(self._pipes[0], bytes([0]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        for pipe in self._pipes:
            os.close(pipe)
        self._folder.cleanup()

    def end(self) -> None:
        """To be called when one of them is gone: the others would wait for it."""
        for pipe in self._pipes:
            os.write(pipe, bytes([OVER]))
