"""Notes every warning of a trial, also those that filters hide by default, and changes the fate of none.

A filter that matches nothing is put before all others: Python asks it of each warning, with text, module and category.
Filters that code puts before it later decide unseen; what they let through is seen when it is shown. Python keeps a
register, module by module, of what it has warned of and need not again; entering `catch_warnings` voids them, so that
nothing that was told before the trial is missing in it. What is told while modules are imported before that is.
"""

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.frameworks.python_calls import Uncounted
from harness.history.recorder import Recorder

INSTALLED = ("site-packages/", "dist-packages/")


@contextmanager
def record_warnings(recorder: Recorder | None) -> Iterator[None]:
    """While the block runs, write each (category, message, file) once as an operation `warning`.

    Those of other threads, which come whenever they come, are written when the block ends, sorted.
    """
    if recorder is None:
        yield
        return
    notes = _Notes(recorder)
    with warnings.catch_warnings():
        warnings.filters.insert(0, _Watched(notes).filter())  # type: ignore[attr-defined]  # a list, whatever typeshed says
        shown = warnings.showwarning

        def show(message: Any, category: Any, filename: str, *args: Any, **kwargs: Any) -> None:
            notes.add(category, str(message), filename)
            shown(message, category, filename, *args, **kwargs)

        warnings.showwarning = show
        try:
            yield
        finally:
            notes.write_others()


class _Notes:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._thread = threading.get_ident()
        self._folder = f"{os.getcwd()}/"  # of a trial, which has another name whenever it runs
        self._seen: set[tuple[str, str, str]] = set()
        self._others: list[tuple[str, str, str]] = []

    def add(self, category: Any, message: str, filename: str) -> None:
        with Uncounted():
            warning = (category.__name__, message.replace(self._folder, ""), where(filename))
            if warning in self._seen:
                return
            self._seen.add(warning)
            if threading.get_ident() == self._thread:
                self._write(warning)
            else:
                self._others.append(warning)

    def write_others(self) -> None:
        for warning in sorted(self._others):
            self._write(warning)

    def _write(self, warning: tuple[str, str, str]) -> None:
        category, message, file = warning
        self._recorder.write("warning", "info", {"category": category, "message": message, "where": file})


class _Watched:
    """What Python asks the three parts of a filter of one warning, in an order that depends on its version. Each says
    that it matches, but for the last."""

    def __init__(self, notes: _Notes) -> None:
        self._notes = notes
        self._asked = threading.local()

    def filter(self) -> tuple[Any, ...]:
        category = _AnyCategory("AnyCategory", (), {"asked": self})
        return ("ignore", _Part(self, "message"), category, _Part(self, "module"), 0)

    def ask(self, part: str, of: Any) -> bool:
        asked = vars(self._asked)
        asked[part] = of
        if len(asked) < 3:
            return True
        file = getattr(sys.modules.get(asked["module"]), "__file__", None) or asked["module"]
        self._notes.add(asked["category"], asked["message"], file)
        asked.clear()
        return False


class _Part:
    """In place of a regular expression."""

    def __init__(self, watched: _Watched, part: str) -> None:
        self._watched, self._part = watched, part

    def match(self, text: str) -> bool:
        return self._watched.ask(self._part, text)


class _AnyCategory(type):
    asked: _Watched

    def __subclasscheck__(cls, category: type) -> bool:
        return cls.asked.ask("category", category)


def where(filename: str) -> str:
    """The path of an installed file below `site-packages`; of any other file, its name."""
    path = filename.replace(os.sep, "/")
    for folder in INSTALLED:
        if folder in path:
            return path.rpartition(folder)[2]
    return path.rpartition("/")[2]
