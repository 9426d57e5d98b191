"""What happens to a process as a whole: signals, and ways to leave."""

import os
import signal
import threading

from harness.faults.fault import Fault

SIGNALS = {
    "interrupt": signal.SIGINT,
    "interrupt_twice": signal.SIGINT,
    "terminate": signal.SIGTERM,
    "kill": signal.SIGKILL,
    "rank_killed": signal.SIGKILL,
}


def strike(fault: Fault) -> None:
    """Send this process the fault's signal, or leave it.

    Raises:
        SystemExit, KeyboardInterrupt: as a user's code, or Ctrl-C, would.
    """
    if fault.kind == "sys_exit":
        raise SystemExit(fault.parameter("status"))
    if fault.kind == "os_exit":
        os._exit(fault.parameter("status"))
    signal.raise_signal(SIGNALS[fault.kind])


def outlive_the_main_thread() -> None:
    """Start a thread that does not end before the interpreter shuts down."""
    threading.Thread(target=threading.main_thread().join, name="outlives the main thread").start()
