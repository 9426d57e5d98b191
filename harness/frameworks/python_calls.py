"""An exact counter that needs no framework: calls of Python functions."""

import gc
import os
import sys
from _lsprof import Profiler  # cProfile's own, without its statistics
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

HARNESS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")


class Watching:
    """Tells :meth:`note` whatever is called or returns while the block runs; in this thread only.

    The garbage collector waits: whose finalisers it calls depends on what happened before.
    """

    def __enter__(self) -> Self:
        self._collecting = gc.isenabled()
        gc.disable()
        self._before = _stop()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _stop()
        _go_on(self._before)
        if self._collecting:
            gc.enable()

    def start(self) -> None:
        sys.setprofile(self.note)

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        """As `sys.setprofile` has it."""
        raise NotImplementedError


class PythonCalls(Watching):
    """Counts calls of Python functions, the harness's own aside; those of which it sees the end.

    By cProfile's profiler, for which no function in Python is called; but up to Python 3.11 only: from 3.12 on it looks
    into all threads.
    """

    def __init__(self) -> None:
        self._profiler = Profiler(subcalls=False, builtins=False)
        self._noted = 0

    @property
    def count(self) -> int:
        return self._noted + sum(each.callcount for each in self._profiler.getstats() if _counts(each.code))

    def start(self) -> None:
        if sys.version_info < (3, 12):
            self._profiler.enable()
        else:
            super().start()

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        self._noted += event == "call" and _counts(frame.f_code)


class Uncounted:
    """While the block runs, `PythonCalls` counts nothing in this thread: what the harness calls is no step's."""

    def __enter__(self) -> None:
        self._profile = _stop()

    def __exit__(self, *raised: object) -> None:
        _go_on(self._profile)


def _counts(code: CodeType | str) -> bool:
    return isinstance(code, CodeType) and not code.co_filename.startswith(HARNESS)


def _stop() -> Any:
    """Whatever looks into this thread, and no longer does; None if nothing did."""
    profile: Any = sys.getprofile()
    if isinstance(profile, Profiler):
        profile.disable()
    else:
        sys.setprofile(None)
    return profile


def _go_on(profile: Any) -> None:
    if isinstance(profile, Profiler):
        profile.enable()
    else:
        sys.setprofile(profile)
