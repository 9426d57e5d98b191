"""Exact counters of what a pattern costs in torch: the same trial gives the same integers, on any machine."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from harness.frameworks.measuring import inside


class TorchOperations(TorchDispatchMode):  # type: ignore[misc]  # torch is not type-checked here
    """Counts the operations that reach a kernel while the block runs, those of the backward pass too.

    A dispatch mode sees each once, below autograd. The profiler would also count the operations of which others
    are composed, and these differ from one version of torch to the next.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.counts(function):
            self.count += 1
        return function(*args, **(kwargs or {}))

    def counts(self, function: Any) -> bool:
        return True


class HostSyncs(TorchOperations):
    """Counts how often Python asks for a tensor's value (`.item()`, `float()`, `if tensor`), for which it must
    wait where the tensor is on a GPU. Whole tensors that are copied are not counted."""

    def counts(self, function: Any) -> bool:
        return bool(function is torch.ops.aten._local_scalar_dense.default)


class LiveBytes(TorchDispatchMode):  # type: ignore[misc]  # as above
    """How many bytes the results of operations occupy that are still alive, whoever holds them: a module, a
    metric, the framework, or the graph behind a loss that was never detached.

    Attributes:
        peak: the most of all calls of `read`. With `at_each_operation` set it is read after every operation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self.at_each_operation = False
        self._made: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in filter(torch.is_tensor, inside(result)):
            storage = tensor.untyped_storage()
            reference = StorageWeakRef(storage)
            self._made[reference.cdata] = (reference, storage.nbytes())
        if self.at_each_operation:
            self.read()
        return result

    def read(self) -> int:
        self._made = {key: made for key, made in self._made.items() if not made[0].expired()}
        alive = sum(size for _, size in self._made.values())
        self.peak = max(self.peak, alive)
        return alive


def held_bytes(module: nn.Module) -> int:
    """Bytes of the tensors that a module and its submodules hold besides parameters and buffers: collected
    outputs, running sums, metric states. Tensors that share storage count once."""
    storages: dict[int, int] = {}
    for value in _held(module):
        if isinstance(value, Tensor):
            storage = value.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def held_values(module: nn.Module) -> int:
    """How many tensors and numbers a module and its submodules hold besides parameters and buffers."""
    return sum(isinstance(value, (Tensor, int, float)) for value in _held(module))


# Where torch keeps what is not the module's own data: parameters, buffers, children and hooks.
_INTERNAL = frozenset(vars(nn.Module()))


def _held(module: nn.Module) -> Iterable[Any]:
    for part in module.modules():
        for name, value in vars(part).items():
            if name not in _INTERNAL:
                yield from inside(value)
