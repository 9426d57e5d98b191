"""The cluster that a training has its workers on: that which it is in, that of `RAY_ADDRESS`, or its own.

Its own is started on this machine, with a processor for each thread that is asked for, and nothing of it is left.
"""

import os
import random
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import wait
from typing import Any

import ray

from harness.frameworks.process_use import descendants
from harness.parallel.refusals import CannotValidateInParallel

ADDRESS = "RAY_ADDRESS"
BREAKPOINT = "PYTHONBREAKPOINT"
CONNECT_S = 3.0  # that a cluster may take to be there at all; Ray itself would wait for minutes
LEAVE_S = 10.0  # that processes of a cluster may take to end with it
# Bytes of the path of the folder that Ray's is in: it has sockets with long names there, and no path of a socket is
# longer than 107.
LONGEST = 27


@contextmanager
def joined(workers: int, cpus: int, gpus: int) -> Iterator[None]:
    """There is a cluster within.

    Args:
        workers: that it is to have room for.
        cpus, gpus: that each of them needs.

    Raises:
        CannotValidateInParallel: it cannot be joined or started, or it is too small.
    """
    if ray.is_initialized():
        _check_room(workers, cpus, gpus)
        yield
    elif (address := os.environ.get(ADDRESS, "")) not in ("", "local"):
        _check_that_it_listens(address)
        with _connected(f"cannot join the Ray cluster at {ADDRESS}={address}"):
            _check_room(workers, cpus, gpus)
            yield
    else:
        with _started(workers * cpus):
            _check_room(workers, cpus, gpus)
            yield


@contextmanager
def _started(cpus: int) -> Iterator[None]:
    """One of its own, of which nothing is left."""
    before = {*descendants()}
    with _folder() as folder, ExitStack() as stack:
        own = {"num_cpus": cpus, "include_dashboard": False, "_temp_dir": folder}
        processes: dict[int, int] = {}
        stack.callback(_see_to_the_end_of, processes)  # some are only about to end when Ray has shut down
        stack.enter_context(_connected("cannot start a Ray cluster on this machine", address="local", **own))
        _add_to(processes, {*descendants()} - before)
        try:
            yield
        finally:
            started = [process for process, end in processes.items() if not wait([end], 0)]
            _add_to(processes, {each for process in started for each in descendants(process)})


def _add_to(processes: dict[int, int], found: set[int]) -> None:
    """With what becomes readable when they end."""
    for process in found - processes.keys():
        with suppress(ProcessLookupError):
            processes[process] = os.pidfd_open(process)


def _see_to_the_end_of(processes: Mapping[int, int]) -> None:
    deadline = time.monotonic() + LEAVE_S
    for end in processes.values():
        if not wait([end], max(0.0, deadline - time.monotonic())):
            signal.pidfd_send_signal(end, signal.SIGKILL)
            wait([end])
        os.close(end)


@contextmanager
def _connected(otherwise: str, **arguments: Any) -> Iterator[None]:
    try:
        try:
            with _training_undisturbed():
                ray.init(log_to_driver=False, logging_level="ERROR", **arguments)
        except (RuntimeError, OSError, ValueError, AssertionError) as error:
            raise CannotValidateInParallel(f"{otherwise}: {error}; or choose another start_method") from error
        yield
    finally:
        with _training_undisturbed():
            ray.shutdown()  # it may have come half the way


@contextmanager
def _training_undisturbed() -> Iterator[None]:
    """Ray draws numbers, and has SIGTERM and `breakpoint()` come to itself."""
    state, breaks = random.getstate(), os.environ.get(BREAKPOINT)
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        random.setstate(state)
        if breaks is None:
            os.environ.pop(BREAKPOINT, None)
        else:
            os.environ[BREAKPOINT] = breaks
        if terminated is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminated)


@contextmanager
def _folder() -> Iterator[str]:
    """Of Ray's own: it never removes what it writes there."""
    usual = tempfile.gettempdir()
    folder = tempfile.mkdtemp(prefix="ray-", dir=usual if len(os.fsencode(usual)) <= LONGEST else "/tmp")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_that_it_listens(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), CONNECT_S).close()
        except (OSError, OverflowError) as error:
            raise CannotValidateInParallel(
                f"no Ray cluster listens at {ADDRESS}={address} ({error}): unset {ADDRESS} to start one on this machine"
            ) from None


def _check_room(workers: int, cpus: int, gpus: int) -> None:
    there_are = ray.cluster_resources()
    for what, each in (("CPU", cpus), ("GPU", gpus)):
        if workers * each > there_are.get(what, 0):
            raise CannotValidateInParallel(
                f"workers={workers} need {workers * each:g} {what} of the Ray cluster, and it has "
                f"{there_are.get(what, 0):g}: use fewer, or add a node"
            )
