"""An exact counter that needs no framework: calls of Python functions."""

import gc
import sys
from types import FrameType, TracebackType
from typing import Any

HARNESS = __name__.split(".")[0] + "."


class PythonCalls:
    """Counts calls of Python functions while the block runs, the harness's own aside; in this thread only.

    The garbage collector waits: whose finalisers it calls depends on what happened before.
    """

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "PythonCalls":
        self._before = (gc.isenabled(), sys.getprofile())
        gc.disable()
        sys.setprofile(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        collecting, profile = self._before
        sys.setprofile(profile)
        if collecting:
            gc.enable()

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and not frame.f_globals.get("__name__", "").startswith(HARNESS):
            self.count += 1


class Uncounted:
    """While the block runs, `PythonCalls` counts nothing in this thread: what the harness calls is no step's."""

    def __enter__(self) -> None:
        self._profile = sys.getprofile()
        sys.setprofile(None)

    def __exit__(self, *raised: object) -> None:
        sys.setprofile(self._profile)
