"""Where a training process can be killed: numbered events, so that a moment is an integer that can be drawn.

An event is a hook of the framework (what a training calls `tick` in), a file opened for writing, renamed or removed
in the working folder, and the start and end of a flush to disk. The k-th of a training is always the same place.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Kill:
    """SIGKILL at the event of this number, counted from 1.

    Attributes:
        after_bytes: if given, let the process live on, until a file that it writes is about to exceed so many bytes,
            which kills it in the midst of that write. It is the kernel that does it, by SIGXFSZ, so that the other
            bytes are never written, whoever writes, C libraries too.
    """

    at: int
    after_bytes: int | None = None


class Events:
    """Counts the events of this process, and kills it at one of them."""

    def __init__(self, kill: Kill | None) -> None:
        self.count = 0
        self.kill = kill

    def tick(self, *unused: Any) -> None:
        self.count += 1
        if self.kill is not None and self.count == self.kill.at:
            if self.kill.after_bytes is None:
                os.kill(os.getpid(), signal.SIGKILL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.kill.after_bytes, self.kill.after_bytes))

    def watch_files(self) -> None:
        """From now on, what happens to files in the working folder; cannot be undone."""
        folder = os.getcwd() + os.sep

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            opened = event == "open" and isinstance(arguments[0], str | bytes) and arguments[2] & WRITES
            if (opened or event in ("os.rename", "os.remove")) and os.path.abspath(
                os.fsdecode(arguments[0])
            ).startswith(folder):
                self.tick()

        os.fsync = self._around(os.fsync)
        sys.addaudithook(audit)

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            self.tick()
            result = call(*arguments)
            self.tick()
            return result

        return called
