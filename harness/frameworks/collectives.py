"""An exact counter: the collectives that Python code asks torch for in a rank, within steps and besides.

Gradients that DDP adds up itself are not among them: its reducer does that in C++, bucket by bucket
(`torch/csrc/distributed/c10d/reducer.cpp`).
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from torch import distributed

NAMES = (
    "all_reduce", "reduce", "broadcast", "broadcast_object_list", "all_gather", "all_gather_object",
    "all_gather_into_tensor", "gather", "gather_object", "scatter", "scatter_object_list", "reduce_scatter",
    "reduce_scatter_tensor", "all_to_all", "all_to_all_single", "barrier", "monitored_barrier",
)  # fmt: skip


class Collectives:
    """Counts in this process from `attach` on.

    Args:
        in_step: whether a step is under way.
    """

    def __init__(self, in_step: Callable[[], bool]) -> None:
        self._in_step = in_step
        self._counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}

    def attach(self) -> None:
        """Around the functions of `torch.distributed`, by which Lightning and torchmetrics call them."""
        for name in NAMES:
            if hasattr(distributed, name):
                setattr(distributed, name, self._counting(name, getattr(distributed, name)))

    def take(self) -> dict[str, dict[str, int]]:
        """How many of each there were since the last time."""
        taken = {"in_steps": dict(self._counts[True]), "besides": dict(self._counts[False])}
        for counted in self._counts.values():
            counted.clear()
        return taken

    def _counting(self, name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def collective(*args: Any, **kwargs: Any) -> Any:
            self._counts[self._in_step()][name] += 1
            return inner(*args, **kwargs)

        return collective
