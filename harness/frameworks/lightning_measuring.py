"""Measures training from outside: a callback reads a meter whenever a training batch or epoch starts.

What is read between two starts holds the framework's own loop and logging, not only the step; it holds
Lightning's dispatch to this callback as well, which is the same in every module. Each meter is used in a
process of its own, so that none is measured by another.
"""

import gc
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

import torch

from harness.frameworks.counters import HostSyncs, LiveBytes, PythonCalls, TorchOperations, held_bytes, held_values
from harness.frameworks.lightning_package import pl

TIMED_S = 0.5


class Measuring(pl.Callback):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    """Measures the epoch after the warm-up, up to the start of the next one, and stops there.

    Attributes:
        warm_up: epochs in which caches fill, and the optimiser makes its state.
        meter: is to be entered around the whole training.
        network: the shapes of the parameters that were trained.
    """

    warm_up = 2

    def __init__(self, meter: AbstractContextManager[Any]) -> None:
        self.max_epochs = self.warm_up + 2
        self.meter = meter
        self.network: list[list[int]] = []

    def begin(self, module: Any) -> None:
        """The measured epoch starts."""
        raise NotImplementedError

    def step(self, module: Any) -> None:
        """A batch of the measured epoch starts."""

    def end(self, module: Any) -> None:
        """The measured epoch is over, its hooks too."""
        raise NotImplementedError

    def result(self) -> dict[str, Any]:
        raise NotImplementedError

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self.network = [list(parameter.shape) for parameter in pl_module.parameters()]
        gc.collect()
        gc.disable()  # whenever it ran, it would run finalisers, and take time
        gc.freeze()

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == self.warm_up:
            self.begin(pl_module)
        elif trainer.current_epoch == self.warm_up + 1:
            self.end(pl_module)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == self.warm_up:
            self.step(pl_module)
        elif trainer.current_epoch > self.warm_up:
            trainer.should_stop = True  # after one batch: without any, hooks of the module might fail


class Counting(Measuring):
    """An exact counter, for each step from one batch's start to the next, and for the epoch."""

    def __init__(self, meter: PythonCalls | TorchOperations) -> None:
        super().__init__(meter)
        self._counter = meter
        self._epoch: list[int] = []
        self._steps: list[int] = []

    def begin(self, module: Any) -> None:
        self._epoch.append(self._counter.count)

    end = begin

    def step(self, module: Any) -> None:
        self._steps.append(self._counter.count)

    def result(self) -> dict[str, Any]:
        first, last = self._epoch
        return {"steps": [after - before for before, after in pairwise(self._steps)], "epoch": last - first}


class Memory(Measuring):
    """How much is alive beyond what was when the epoch started: at most, between two steps or after an operation
    at the epoch's end, and still when the next epoch starts.

    `live_bytes` of tensors, whoever holds them; `held_bytes` of those that the module holds; `held_values`:
    tensors and numbers that the module holds; `objects` that the garbage collector knows.
    """

    warm_up = 1  # every batch of it is slow, with a mode around its operations

    def __init__(self) -> None:
        self._live = LiveBytes()
        super().__init__(self._live)
        self._before: dict[str, int] = {}
        self._peak: dict[str, int] = {}
        self._after: dict[str, int] = {}

    def _read(self, module: Any) -> dict[str, int]:
        gc.collect()
        return {
            "live_bytes": self._live.read(),
            "held_bytes": held_bytes(module),
            "held_values": held_values(module),
            "objects": len(gc.get_objects()),
        }

    def begin(self, module: Any) -> None:
        self._before = self._peak = self._read(module)
        self._live.peak = 0

    def step(self, module: Any) -> None:
        now = self._read(module)
        self._peak = {name: max(now[name], most) for name, most in self._peak.items()}

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == self.warm_up and batch_idx + 1 == trainer.num_training_batches:
            self.step(pl_module)
            self._live.at_each_operation = True

    def end(self, module: Any) -> None:
        self._live.at_each_operation = False
        self._after = self._read(module)
        self._peak["live_bytes"] = self._live.peak

    def result(self) -> dict[str, Any]:
        return {
            "peak": {name: most - self._before[name] for name, most in self._peak.items()},
            "retained": {name: after - self._before[name] for name, after in self._after.items()},
        }


class Timing(Measuring):
    """Seconds per step of as many epochs as take `TIMED_S`, each from its start to the next one's: so what a
    pattern does once in a while or at the epoch's end has its share."""

    def __init__(self) -> None:
        super().__init__(nullcontext())
        self.max_epochs = sys.maxsize
        self._starts: list[float] = []
        self._batches = 0

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch < self.warm_up:
            return
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self._starts.append(time.perf_counter())
        self._batches = trainer.num_training_batches

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self._starts and self._starts[-1] - self._starts[0] >= TIMED_S:
            trainer.should_stop = True  # as above

    def result(self) -> dict[str, Any]:
        return {"seconds_per_step": [(end - start) / self._batches for start, end in pairwise(self._starts)]}


MEASURES: dict[str, Callable[[], Measuring]] = {
    "python_calls": lambda: Counting(PythonCalls()),
    "torch_operations": lambda: Counting(TorchOperations()),
    "host_syncs": lambda: Counting(HostSyncs()),
    "memory": Memory,
    "seconds": Timing,
}
