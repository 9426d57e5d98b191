"""What processes use of the machine, from Linux's /proc: CPU time, private memory, and how busy the cores are.

Standard library only. A process that ends while it is looked at counts as not there.
"""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
IDLE, IOWAIT, STEAL = 3, 4, 7  # columns of /proc/stat; those after `steal` are counted in `user` already
TIMES = slice(11, 15)  # of /proc/PID/stat, from behind the name: its user and system time, and of those it waited for


def descendants(pid: int | None = None) -> list[int]:
    """The processes that a process (by default this one) started and that live, and those that they started."""
    found: list[int] = []
    waiting = [os.getpid() if pid is None else pid]
    while waiting:
        tasks = Path("/proc", str(waiting.pop()), "task")
        with suppress(OSError):
            children = [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
            found += children
            waiting += children
    return found


def cpu_seconds() -> float:
    """User and system time of this process, of the children that it has waited for, and of its living descendants with
    what they have waited for."""
    own = sum(os.times()[:4])
    return own + TICK_S * sum(sum(_times(pid)) for pid in descendants())


def _times(pid: int) -> list[int]:
    with suppress(OSError):
        after_name = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
        return [int(value) for value in after_name[TIMES]]
    return []


def private_bytes(pid: int) -> int:
    """Memory that the process shares with nobody: what it would give back if it ended. 0 if it is not there."""
    with suppress(OSError):
        lines = Path("/proc", str(pid), "smaps_rollup").read_text().splitlines()
        return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))
    return 0


def busy_seconds(cores: Collection[int]) -> float:
    """For how long cores have worked, for anyone: what a hypervisor took of them (steal) counts as worked."""
    names = {f"cpu{core}" for core in cores}
    ticks = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *columns = line.split()
        if name in names:
            ticks += sum(int(value) for place, value in enumerate(columns[: STEAL + 1]) if place not in (IDLE, IOWAIT))
    return TICK_S * ticks
