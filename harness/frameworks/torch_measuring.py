"""The meters of training in torch, in Lightning or in a loop of one's own."""

from collections.abc import Callable

import torch

from harness.frameworks.counters import HostSyncs, LiveBytes, TorchOperations, held_bytes, held_values
from harness.frameworks.measuring import Counting, Measuring, Memory, Timing
from harness.frameworks.python_calls import PythonCalls
from harness.frameworks.turns import PREFIX, Seat, Turns


class TorchMemory(Memory):
    """At the epoch's end the most is read after every operation: what is computed from kept outputs is seen."""

    def __init__(self) -> None:
        self._live = LiveBytes()
        super().__init__(self._live)

    def alive(self) -> dict[str, int]:
        return {
            "live_bytes": self._live.read(),
            "held_bytes": held_bytes(self.model),
            "held_values": held_values(self.model),
        }

    def begin(self) -> None:
        super().begin()
        self._live.peak = 0

    def batches_end(self) -> None:
        super().batches_end()
        self._live.at_each_operation = self._epoch == self.warm_up

    def validation_begins(self) -> None:
        self._live.at_each_operation = False

    def validation_ends(self) -> None:
        self._live.at_each_operation = self._epoch == self.warm_up

    def end(self) -> None:
        self._live.at_each_operation = False
        super().end()
        self._peak["live_bytes"] = self._live.peak


def _wait() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


MEASURES: dict[str, Callable[[], Measuring]] = {
    "python_calls": lambda: Counting(PythonCalls()),
    "operations": lambda: Counting(TorchOperations()),
    "host_syncs": lambda: Counting(HostSyncs()),
    "memory": TorchMemory,
    "seconds": lambda: Timing(_wait),
}


def measuring(what: str) -> Measuring:
    """One of `MEASURES`, or the time of a process that takes turns with others (`Seat.measure`)."""
    if what.startswith(PREFIX):
        return Timing(_wait, Turns(Seat.of_measure(what)).take)
    return MEASURES[what]()
