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
# In a traceback, from the outermost inwards; as `faulthandler` writes them, from the innermost outwards, thread by
# thread, and the main one last.
_FRAME = re.compile(r'^ +File "(.+)", line (\d+),? in ', re.MULTILINE)
_DUMPED_THREAD = re.compile(r"^Thread 0x", re.MULTILINE)


def of_exception(error: BaseException) -> str:
    """`FILE:LINE`, empty if there is no traceback. What a compiled graph of TensorFlow calls is in the message only."""
    frames = [(frame.filename, frame.lineno or 0) for frame in reversed(traceback.extract_tb(error.__traceback__))]
    return _own(_frames(str(error))[::-1]) or _own(frames) or _named(frames)


def without_stacks(message: str) -> str:
    """A message in one line, if there are tracebacks in it, and without them; as it is, if there are none."""
    if not _FRAME.search(message):
        return message
    told = [line for line in message.splitlines() if line.strip() and not line.startswith((" ", "\t"))]
    return " ".join(dict.fromkeys(line for line in told if not line.endswith("(most recent call last):")))


def of_dump(dump: str, roots: Iterable[str]) -> str:
    """`FILE:LINE`, of what `faulthandler` dumped; empty if that is nothing.

    Args:
        roots: folders that files are imported from, besides those of `sys.path`.
    """
    *_, main = _DUMPED_THREAD.split(dump)
    return _own(_frames(dump), roots) or _named(_frames(main), roots)


def _frames(text: str) -> list[tuple[str, int]]:
    return [(file, int(line)) for file, line in _FRAME.findall(text)]


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
