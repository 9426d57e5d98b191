"""Files that a trial left behind where nothing removes them: shared memory, and a temporary folder. Standard library.

Linux does not tell who made a segment of shared memory. What is new since the trial started, belongs to this user, and
is neither open nor mapped in any process that lives, is taken for the trial's. Trials side by side may therefore take
the blame for each other's where one abandons a segment, and goes on.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

SHARED_MEMORY = "/dev/shm"


class Leftovers:
    """Remembers what there is in some folders, to tell later what has been left there since.

    Args:
        own: folders in which nobody but the trial writes; all that is new there was left by it.
    """

    def __init__(self, own: Iterable[str]) -> None:
        self._own = {folder: _entries(folder) for folder in own}
        self._shared = _entries(SHARED_MEMORY)

    def remove(self) -> list[str]:
        """Call once the trial's processes are gone; returns the paths of what was removed."""
        new = {path for folder, before in self._own.items() for path in _entries(folder) - before}
        if shared := {path for path in _entries(SHARED_MEMORY) - self._shared if _is_ours(path)}:
            new |= _unused(shared)
        for path in new:
            _remove(path)
        return sorted(new)


def _entries(folder: str) -> set[str]:
    with suppress(OSError):
        return {os.path.join(folder, name) for name in os.listdir(folder)}
    return set()


def _is_ours(path: str) -> bool:
    with suppress(OSError):
        return os.lstat(path).st_uid == os.getuid()
    return False


def _unused(paths: set[str]) -> set[str]:
    """Those that no process has open or mapped, and that are still there when this is known: another trial may have
    removed its own."""
    in_use = {path for process in Path("/proc").glob("[0-9]*") for path in paths if _uses(process, path)}
    return {path for path in paths - in_use if os.path.lexists(path)}


def _uses(process: Path, path: str) -> bool:
    with suppress(OSError):  # it has ended, or is none of ours
        maps = (process / "maps").read_text(errors="replace")
        if path in maps or _device_and_inode(path) in maps:
            return True
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                if os.readlink(descriptor).startswith(path):
                    return True
    return False


def _device_and_inode(path: str) -> str:
    """As the kernel lists what is mapped: a named semaphore is, under the name that it had while it was made."""
    file = os.lstat(path)
    return f" {os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x} {file.st_ino} "


def _remove(path: str) -> None:
    with suppress(OSError):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
