"""A worker on a Ray cluster, as the process that trains has it: an actor on a node keeps it (`harness.parallel.relay`).

Ray's own retries are off, so that a death is seen, told and counted. Its threads tell of answers and deaths through a
socket, so that whoever watches workers waits for files, wherever they are.
"""

import os
import pickle
import socket
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from typing import Any

import ray

from harness.parallel.ray_cluster import joined
from harness.parallel.relay import CALLS, News, Relay

ANSWER_S = 10.0  # that a node may take to end a process; then it is given up
WIDTH = 300  # of what Ray says of a death
BELLS = 4096


@contextmanager
def ray_workers(
    content: bytes, weights: Callable[[int], Any], workers: int, cpus: int, gpus: int
) -> Iterator[Callable[[], "RayWorker"]]:
    """What starts a worker, as long as the cluster is joined.

    Args:
        content, weights, cpus, gpus: as of a `RayWorker`.
        workers: how many there are to be at a time.

    Raises:
        CannotValidateInParallel: as `joined`.
    """
    with joined(workers, cpus, gpus):
        sent = ray.put(content)  # once, whatever becomes of workers
        yield lambda: RayWorker(sent, weights, cpus, gpus)


class RayWorker:
    """A `harness.parallel.supervisor.AnyWorker`.

    Args:
        content: Ray's reference to that of the `Relay`.
        weights: the bytes of a slot, as an array.
        cpus, gpus: that are reserved for it.
    """

    def __init__(self, content: Any, weights: Callable[[int], Any], cpus: int, gpus: int) -> None:
        self.pid = 0
        self.died = False
        self._how = ""
        self._weights = weights
        self._handing: threading.Thread | None = None
        self._given_up: threading.Timer | None = None
        self._ear, self._bell = socket.socketpair()
        actor = ray.remote(Relay).options(
            num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0, max_concurrency=CALLS
        )
        self._actor = actor.remote(content, [folder or os.getcwd() for folder in sys.path])
        self._ask()

    @property
    def files(self) -> tuple[int, ...]:
        return (self._ear.fileno(),)

    def _ask(self) -> None:
        self._asked: Future[News] = self._actor.news.remote().future()
        self._asked.add_done_callback(self._ring)

    def _ring(self, *_: Any) -> None:
        with suppress(OSError):  # nobody listens any more
            self._bell.send(b".", socket.MSG_DONTWAIT)

    def send(self, request: tuple[int, bytes]) -> None:
        """In a thread: it takes a copy of the weights, for which nobody is to wait."""
        self._handing = threading.Thread(target=self._hand, args=request, name="hands over weights", daemon=True)
        self._handing.start()

    def _hand(self, slot: int, about: bytes) -> None:
        try:
            self._actor.hand.remote(self._weights(slot), about)
        except Exception as error:  # noqa: BLE001  # the store may be full, or Ray have been shut down
            self._lose(f"could not be sent its weights: {_last_line(error)}")

    def arrived(self) -> list[Any]:
        with suppress(BlockingIOError):
            self._ear.recv(BELLS, socket.MSG_DONTWAIT)
        if self.died or not self._asked.done():
            return []
        try:
            news = self._asked.result()
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing more will come
            self._lose(f"was lost: {_last_line(error)}")
            return []
        self.pid = news.pid
        if news.died:
            self._lose(news.died)
        else:
            self._ask()
        return [pickle.loads(message) for message in news.messages]

    def _lose(self, how: str) -> None:
        if not self.died:
            self._how, self.died = how, True
            self._ring()

    def how_it_died(self) -> str:
        return self._how

    def kill(self) -> None:
        """The actor does that, so that nothing is left of it; a node that does not is given up."""
        if self.died or self._given_up:
            return
        self._call_end(0.0)
        self._given_up = threading.Timer(ANSWER_S, self._lose, [f"did not end within {ANSWER_S:g} s"])
        self._given_up.daemon = True
        self._given_up.start()

    def end(self, grace_s: float) -> None:
        self._call_end(grace_s)
        deadline = time.monotonic() + grace_s + ANSWER_S
        while not self.died and wait(self.files, max(0.0, deadline - time.monotonic())):
            with suppress(Exception):  # of what it answered, which nobody asks for any more
                self.arrived()

    def _call_end(self, grace_s: float) -> None:
        try:
            self._actor.end.remote(grace_s)
        except Exception as error:  # noqa: BLE001  # Ray may have been shut down
            self._lose(f"could not be reached: {_last_line(error)}")

    def forget(self) -> None:
        if self._given_up:
            self._given_up.cancel()
        if self._handing:
            self._handing.join()
        with suppress(Exception):  # as above
            ray.kill(self._actor)
        self._ear.close()
        self._bell.close()


def _last_line(error: BaseException) -> str:
    """Where Ray says what the matter is."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return textwrap.shorten(lines[-1] if lines else type(error).__name__, WIDTH, placeholder=" …")
