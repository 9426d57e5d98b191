"""A change that is planted in a framework, inside the trial's process, whichever framework it is.

Imported by the files of changes in trials, and by the tests that list them.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """A change that a release could bring, and the trial on which it is tried.

    Attributes:
        on: `scenario@workload`, and `#fault` if it shows only where something goes wrong.
        caught_by: the checker that must object, and what it must object to; None for a harmless change.
        needs: where the place that is changed exists.
    """

    make: Callable[[], None]
    on: str
    caught_by: tuple[str, str] | None = None
    needs: str = ""

    @property
    def name(self) -> str:
        return self.make.__name__

    @property
    def prelude(self) -> str:
        return f"{inspect.getfile(self.make)}:{self.name}"


def planting_into(plants: list[Change]) -> Callable[..., Callable[[Callable[[], None]], Callable[[], None]]]:
    """A decorator that takes what `Change` does besides the function, which it adds to `plants`."""

    def plant(on: str, caught_by: tuple[str, str], **more: Any) -> Callable[[Callable[[], None]], Callable[[], None]]:
        def add(function: Callable[[], None]) -> Callable[[], None]:
            plants.append(Change(function, on, caught_by, **more))
            return function

        return add

    return plant


def around(owner: Any, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replace `owner.name` by the decorated function, which gets the original as its first argument.

    The first call leaves a line in the trial's output, so that a test can tell whether it was ever reached.
    """
    is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
    inner = getattr(owner, name)

    def replace(function: Callable[..., Any]) -> None:
        @functools.wraps(inner)
        def replacement(*args: Any, **kwargs: Any) -> Any:
            tell_that_it_was_reached(name)
            return function(inner, *args, **kwargs)

        setattr(owner, name, staticmethod(replacement) if is_static else replacement)

    return replace


@functools.cache
def tell_that_it_was_reached(name: str) -> None:
    print(f"reached: {name}", flush=True)
