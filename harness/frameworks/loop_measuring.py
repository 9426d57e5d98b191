"""Tells what is measured (`harness.frameworks.measuring`) how far a loop of one's own is, at its loaders."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from torch.utils.data import DataLoader

from harness.frameworks.measuring import Measuring


class Measured(Exception):  # noqa: N818  # it is no error
    """Ends a loop that would go on."""


def fit(module: Any, train: DataLoader, validation: DataLoader, measuring: Measuring) -> None:
    measuring.attach(module)
    training = Training(train, measuring)
    measuring.training_begins(list(module.parameters()), len(train))
    with suppress(Measured):
        module.fit(training, Validation(validation, measuring), measuring.max_epochs, training.report)


class Training:
    """The loader that a loop trains on. An epoch begins when it is asked for batches for the first time after the one
    before has been reported."""

    def __init__(self, loader: DataLoader, measuring: Measuring) -> None:
        self._loader = loader
        self._measuring = measuring
        self._begun = 0
        self._reported = 0

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        if self._begun == self._reported:
            self._measuring.epoch_begins(self._begun)
            self._begun += 1
        for index, batch in enumerate(self._loader):
            if self._measuring.batch_begins(index):
                raise Measured
            yield batch
        self._measuring.batches_end()

    def report(self, figures: Mapping[str, Any]) -> None:
        self._reported += 1


class Validation:
    def __init__(self, loader: DataLoader, measuring: Measuring) -> None:
        self._loader = loader
        self._measuring = measuring

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        self._measuring.validation_begins()
        yield from self._loader
        self._measuring.validation_ends()
