"""A process that validates for another one: its start, its loop, and its end from either side."""

import gc
import os
import secrets
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import active_children, current_process, get_context
from multiprocessing.connection import wait
from typing import Any

from harness.parallel.channel import Channel

READY, DONE, RAISED, UNUSABLE = "ready", "done", "raised", "unusable"
END = None  # in place of a request; a closed socket may still be open in other processes that were forked
SEND_LIMIT_S = 5

# Called with a request, returns what is sent back.
Answer = Callable[[Any], Any]


class Worker:
    """The side of the process that trains; a `harness.parallel.supervisor.AnyWorker`.

    Args:
        make: called in the worker, returns what answers its requests. Unless it is forked, it must be picklable.
        method: `fork`, `forkserver` or `spawn`.
    """

    def __init__(self, make: Callable[[], Answer], method: str) -> None:
        self._folder = os.path.join(tempfile.gettempdir(), f"validation-{secrets.token_hex(4)}")
        ours, theirs = socket.socketpair()
        # Not `settimeout`, with which nothing could be received without waiting.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_LIMIT_S, 0))
        # Not a daemon: its loaders may have workers of their own.
        self._process = get_context(method).Process(  # type: ignore[attr-defined]  # which every context has
            target=_work, args=(make, theirs, os.getpid(), self._folder), daemon=False
        )
        with warnings.catch_warnings():
            # From Python 3.12 on of a fork while there are threads. The child runs torch on one thread, and takes no
            # lock that another thread of this process may hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()
        self._channel = Channel(ours)
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        self._exit = os.pidfd_open(self.pid)  # readable once it is dead; a pipe would be inherited by its children

    @property
    def files(self) -> tuple[int, ...]:
        return self._channel.fileno(), self._exit

    def send(self, request: Any) -> None:
        self._channel.send(request)

    def arrived(self) -> list[Any]:
        return self._channel.arrived()

    def unopened(self) -> list[bytes]:
        """As `arrived`, for whoever passes them on."""
        return self._channel.unopened()

    @property
    def died(self) -> bool:
        return bool(wait([self._exit], 0))

    def how_it_died(self) -> str:
        """In words; waits for a process that is dead or dying."""
        self._process.join()
        code = self._process.exitcode or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def end(self, grace_s: float) -> None:
        """An idle worker ends by itself; any other is killed after `grace_s` seconds, with all that it started."""
        with suppress(OSError):
            self._channel.send(END)
        if not wait([self._exit], grace_s):
            self.kill()

    def forget(self) -> None:
        """Once it is dead, or as good as."""
        self._process.join()
        self._process.close()
        self._channel.close()
        os.close(self._exit)
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not become a group of its own yet
            self._process.kill()


def _work(make: Callable[[], Answer], end: socket.socket, parent: int, folder: str) -> None:
    os.setpgid(0, 0)  # Ctrl-C is for the process that trains, and what this one starts is killed with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Where processes of a loader put sockets; otherwise they make a folder each, which is left if they are killed.
    os.mkdir(folder, 0o700)
    current_process()._config["tempdir"] = folder  # type: ignore[attr-defined]  # as get_temp_dir of multiprocessing
    end_with_parent = threading.Thread(target=_die_with, args=(parent, folder), daemon=True)
    end_with_parent.start()
    channel = Channel(end)
    try:
        try:
            answer = make()
        except BaseException:  # noqa: BLE001  # whatever it is, the one that trains is told
            channel.send((UNUSABLE, traceback.format_exc()))
            return
        channel.send((READY, None))
        while (request := channel.receive()) is not END:
            try:
                reply = DONE, answer(request)
            except Exception:  # noqa: BLE001  # as above
                reply = RAISED, traceback.format_exc()
            channel.send(reply)
        del answer
        if active_children():  # workers of a loader end in order, once it is gone
            gc.collect()
    except (EOFError, OSError):
        end_with_parent.join()  # the process that trains is gone
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # no handler that was registered by the process that trains


def _die_with(parent: int, folder: str) -> None:
    """Wait until the process that trains is gone, killed even, and take along what was started for it."""
    try:
        watched = os.pidfd_open(parent)
        wait([watched])
    except ProcessLookupError:
        pass  # it was gone before
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)
