"""Exact counters of what a pattern costs: the same trial gives the same integers, on any machine."""

import gc
import sys
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any

import torch
from torch import Tensor, nn

HARNESS = __name__.split(".")[0]


class PythonCalls:
    """Counts calls of Python functions while the block runs, the harness's own aside.

    The garbage collector waits: whose finalisers it calls depends on what happened before.
    """

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "PythonCalls":
        gc.disable()
        sys.setprofile(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.setprofile(None)
        gc.enable()

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and not frame.f_globals.get("__name__", "").startswith(HARNESS):
            self.count += 1


def held_bytes(module: nn.Module) -> int:
    """Bytes of the tensors that a module and its submodules hold besides parameters and buffers: collected
    outputs, running sums, metric states. Tensors that share storage count once."""
    storages: dict[int, int] = {}
    for part in module.modules():
        for tensor in _tensors(vars(part).items()):
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


# Where torch keeps what is not the module's own data: parameters, buffers, children and hooks.
_INTERNAL = frozenset(vars(nn.Module()))


def _tensors(items: Iterable[tuple[str, Any]]) -> Iterable[Tensor]:
    for name, value in items:
        if name not in _INTERNAL:
            yield from _inside(value)


def _inside(value: Any) -> Iterable[Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _inside(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _inside(item)
