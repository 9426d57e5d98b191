"""What one process writes for another to read, as a whole and of any size: the weights of a Keras model, or all that a
spawned worker begins with.

The memory is a file without a name (`memfd_create`, Linux): the kernel gives it back when the last process is gone,
however it went.
"""

import os
import pickle
from multiprocessing.reduction import DupFd
from typing import Any


class Memory:
    """Of `count` slots. May be handed to a process that is being started."""

    def __init__(self, count: int) -> None:
        self._files = [os.memfd_create("for validation", os.MFD_CLOEXEC) for _ in range(count)]

    def write(self, slot: int, content: Any) -> None:
        """A copy of it, in place of what was there."""
        with open(self._files[slot], "wb", closefd=False) as file:
            file.seek(0)
            pickle.dump(content, file, pickle.HIGHEST_PROTOCOL)

    def read(self, slot: int) -> Any:
        with open(self._files[slot], "rb", closefd=False) as file:
            file.seek(0)  # processes share the position in it
            return pickle.load(file)

    def __getstate__(self) -> list[Any]:
        return [DupFd(file) for file in self._files]

    def __setstate__(self, files: list[Any]) -> None:
        self._files = [file.detach() for file in files]

    def close(self) -> None:
        """Here; the memory goes when no process has it any more."""
        while self._files:
            os.close(self._files.pop())
