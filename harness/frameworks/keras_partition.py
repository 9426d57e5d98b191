"""Feeds the workload's batches to `fit`."""

from typing import Any

from harness.frameworks.keras_package import keras
from harness.workloads.workload import Workload


class Partition(keras.utils.PyDataset):  # type: ignore[name-defined,misc]  # Keras is not type-checked here
    """The workload's batches of one stage, in order."""

    def __init__(self, workload: Workload, stage: str) -> None:
        super().__init__()
        self.stage = stage
        self.batches = workload.batches(stage)
        self._workload = workload

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.arrays(self.batches[index])

    def arrays(self, batch: tuple[int, ...]) -> tuple[Any, Any]:
        """Features and targets of a batch's samples."""
        ids = list(batch)
        return self._workload.features[ids], self._workload.targets[ids]
