"""Pickles what a node cannot import, such as the classes of a script, by what it is; the rest by its name."""

from collections.abc import Callable
from types import MethodType
from typing import Any

from ray import cloudpickle

from harness.parallel.payload import LeavesOut


class ByValue(LeavesOut, cloudpickle.CloudPickler):  # type: ignore[misc]  # Ray is untyped here
    def reducer_override(self, thing: Any) -> Any:
        """Methods by their names, as any pickler does: what is set on an instance in their place need not travel."""
        if isinstance(thing, MethodType):
            of_name: tuple[Callable[..., Any], Any] = getattr, (thing.__self__, thing.__func__.__name__)
            return of_name
        return super().reducer_override(thing)
