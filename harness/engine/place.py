"""Which line a trial was at: where it raised, or where it hung. Standard library only.

It is the innermost line of somebody's own code, if there is one: what an installed package does there is for who
called it. Own is whatever is neither installed, nor the standard library's, nor the harness's engine.
"""

import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence

import harness

_INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]|[\\/]lib[\\/]python3\.\d+[\\/]")
_HARNESS = os.path.join(os.path.dirname(harness.__file__), "")
# As `faulthandler` writes frames, each thread's from the innermost outwards, and the main thread last.
_DUMPED = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)
_DUMPED_THREAD = re.compile(r"^Thread 0x", re.MULTILINE)


def of_exception(error: BaseException) -> str:
    """`FILE:LINE`, empty if there is no traceback."""
    frames = [(frame.filename, frame.lineno or 0) for frame in reversed(traceback.extract_tb(error.__traceback__))]
    return _own(frames) or _named(frames)


def of_dump(dump: str, roots: Iterable[str]) -> str:
    """`FILE:LINE`, of what `faulthandler` dumped; empty if that is nothing.

    Args:
        roots: folders that files are imported from, besides those of `sys.path`.
    """
    *_, main = _DUMPED_THREAD.split(dump)
    return _own(_frames(dump), roots) or _named(_frames(main), roots)


def _frames(dump: str) -> list[tuple[str, int]]:
    return [(file, int(line)) for file, line in _DUMPED.findall(dump)]


def _own(frames: Sequence[tuple[str, int]], roots: Iterable[str] = ()) -> str:
    own = [
        (file, line)
        for file, line in frames
        if os.path.isabs(file) and not file.startswith(_HARNESS) and not _INSTALLED.search(file)
    ]
    return _named(own, roots)


def _named(frames: Sequence[tuple[str, int]], roots: Iterable[str] = ()) -> str:
    """The first, its file as it would be imported: the same on every machine, so that findings are."""
    if not frames:
        return ""
    file, line = frames[0]
    folders = [os.path.join(root, "") for root in (*sys.path, *roots) if root]
    root = max((folder for folder in folders if file.startswith(folder)), key=len, default="")
    return f"{file.removeprefix(root)}:{line}"
