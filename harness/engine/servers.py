"""Ends what the standard library's `multiprocessing` keeps running beside a process. Standard library only.

The resource tracker and the fork server end by themselves shortly after the last process that uses them. A trial leaves
by `os._exit`, and whatever of it still runs then has been left behind; so these are ended before, and shared memory
that the tracker would remove with a warning stays, to be found.
"""

import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from typing import Any


def end() -> None:
    """To be called once, last of all. Where children run that were left behind, they keep what serves them."""
    servers = [
        (_server("resource_tracker", "_resource_tracker"), "_pid"),
        (_server("forkserver", "_forkserver"), "_forkserver_pid"),
    ]
    running = [pid for server, attribute in servers if (pid := getattr(server, attribute, None))]
    if not running or multiprocessing.active_children():
        return
    # What the end of a script does, such as removing named semaphores.
    multiprocessing.util._exit_function()  # type: ignore[attr-defined]
    for pid in running:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _server(module: str, name: str) -> Any:
    return getattr(sys.modules.get(f"multiprocessing.{module}"), name, None)
