"""Samples of a user's own data module: told by their place in a pass, their targets taken from the batch."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from harness.frameworks.lightning_position import Position
from harness.frameworks.torch_recording import encoded
from harness.history.encoding import Json


class OwnSamples:
    """In place of `Samples`, for batches of which nothing is known beforehand.

    A sample's id is its place in the pass, over all loaders, counted from 0. In a batch to predict on there is nothing
    that it could be judged by, hence no sample.
    """

    def __init__(self, targets: Callable[[Any], Any], position: Position) -> None:
        self._of, self._position = targets, position
        self._seen: dict[str | None, int] = {}
        self.targets_noted: Json | None = None

    def foreign(self, batch: Any) -> tuple[int, ...]:
        """The ids of a batch, whose targets are kept for when its step has ended.

        Raises:
            TypeError, ValueError: what the scenario takes for its targets is no tensor with one for every sample.
        """
        stage = self._position.stage()
        if stage == "predict":
            return ()
        targets = self._of(batch)
        if not isinstance(targets, Tensor):
            raise TypeError(f"targets= of the scenario gave {type(targets).__name__}, not a tensor")
        if not targets.dim():
            raise ValueError("targets= of the scenario gave one number, not one for every sample")
        self.targets_noted = encoded(targets)
        begins = (self._position.loader, self._position.batch or 0) == (0, 0)
        first = 0 if begins else self._seen.get(stage, 0)
        self._seen[stage] = first + len(targets)
        return tuple(range(first, self._seen[stage]))
