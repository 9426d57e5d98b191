"""A checkpoint that cannot be written, because the kernel refuses it."""

import os
import resource
import signal
from collections.abc import Callable
from typing import Any

from harness.faults.fault import Fault

SPACE = 512  # bytes that still fit, fewer than any checkpoint has
NOWHERE = "/proc"  # where nobody may write, root neither


def save(fault: Fault, write: Callable[[str], Any], path: str) -> None:
    """Write a checkpoint as the fault lets it be written.

    A full disk takes a part of what is written and refuses the rest. So does a limit on the size of files, which every
    user may set.

    Raises:
        OSError, RuntimeError: as whoever writes makes of the kernel's refusal.
    """
    if fault.kind == "checkpoint_read_only":
        write(os.path.join(NOWHERE, os.path.basename(path)))
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then `write` fails, and does not kill
    resource.setrlimit(resource.RLIMIT_FSIZE, (SPACE, hard))
    try:
        write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
