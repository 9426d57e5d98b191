"""The far end of `harness.parallel.ray_worker`: an actor that keeps a worker on its node, and passes on what it says.

What validates is a process of its own, as beside a training on the same machine: it may fork, hang, and be killed with
all that it started, and its death is told by the kernel. The actor needs no Ray and no framework, and starts at once.
"""

import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any

from harness.parallel.memory import Memory
from harness.parallel.worker import Answer, Worker

# Called in the worker with the memory in which weights will come, returns what answers its requests.
Make = Callable[[Memory], Answer]
CALLS = 3  # at a time: one waits for news, while others hand over and end


@dataclass(frozen=True)
class News:
    """Of a worker.

    Attributes:
        messages: as it sent them, in order.
        died: how, in words; empty while it lives.
    """

    pid: int
    messages: tuple[bytes, ...] = ()
    died: str = ""


@dataclass(frozen=True)
class Kept:
    """What a worker is made from: a pickled `Make`, what it is called with, and where to import from besides."""

    content: Memory
    weights: Memory
    path: Sequence[str]

    def __call__(self) -> Answer:
        sys.path += [folder for folder in self.path if folder not in sys.path]
        make: Make = pickle.loads(self.content.read(0))
        return make(self.weights)


class Relay:
    """
    Args:
        content: a pickled `Make`.
        path: folders that training imports from; the node may have them, too.
    """

    def __init__(self, content: bytes, path: Sequence[str]) -> None:
        # A process that is spawned imports the main module, which is Ray's own here.
        vars(sys.modules["__main__"]).pop("__file__", None)
        self._weights = Memory(1)
        with closing(Memory(1)) as memory:
            memory.write(0, content)
            self._worker = Worker(Kept(memory, self._weights, path), "spawn")
        self._told = self._gone = False
        self._lock = threading.Lock()  # calls come in threads of their own

    def news(self) -> News:
        """Waits for some; there is none after its death. The first is that it has been started."""
        worker = self._worker
        messages: list[bytes] = []
        died = False
        if not self._told:
            self._told = True
            return News(worker.pid)
        while not messages and not died:
            wait(worker.files)
            died = worker.died  # before what it said is taken: nothing comes after that
            with suppress(EOFError):
                messages = worker.unopened()
        if not died:
            return News(worker.pid, tuple(messages))
        with self._lock:
            self._gone = True
            worker.kill()  # what it has started
            how = worker.how_it_died()
            worker.forget()
            # Of `multiprocessing`, for what is spawned; it would outlive the actor, if not for long.
            resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
        return News(worker.pid, tuple(messages), how)

    def hand(self, weights: Any, request: bytes) -> None:
        """An epoch to be validated.

        Args:
            weights: an array of bytes.
        """
        with self._lock:
            if self._gone:
                return
            try:
                self._weights.write(0, weights)
                self._worker.send((0, request))
            except Exception:
                self._worker.kill()  # which is news
                raise

    def end(self, grace_s: float) -> None:
        """As that of a worker."""
        with self._lock:
            if not self._gone:
                self._worker.end(grace_s)
