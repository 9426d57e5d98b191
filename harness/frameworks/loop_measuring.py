"""Tells what is measured (`harness.frameworks.measuring`) how far a loop of one's own is, at its loaders."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from torch.utils.data import DataLoader

from harness.frameworks.measuring import Measuring
from harness.frameworks.partition import WrappedLoader


class Measured(Exception):  # noqa: N818  # it is no error
    """Ends a loop that would go on."""


def fit(module: Any, train: DataLoader, validation: DataLoader, measuring: Measuring) -> None:
    measuring.attach(module)
    training = Training(train, measuring)
    measuring.training_begins(list(module.parameters()), len(train))
    with suppress(Measured):
        module.fit(training, Validation(validation, measuring), measuring.max_epochs, training.report)


class Told(WrappedLoader):
    """A loader that tells how far it is."""

    def __init__(self, loader: DataLoader, measuring: Measuring) -> None:
        super().__init__(loader)
        self._measuring = measuring


class Training(Told):
    """Its report ends an epoch; the next one begins when it is asked for batches again."""

    def __init__(self, loader: DataLoader, measuring: Measuring) -> None:
        super().__init__(loader, measuring)
        self._epoch = 0

    def __iter__(self) -> Iterator[Any]:
        self._measuring.epoch_begins(self._epoch)
        for index, batch in enumerate(self._loader):
            if self._measuring.batch_begins(index):
                raise Measured
            yield batch
        self._measuring.batches_end()

    def report(self, figures: Mapping[str, Any]) -> None:
        self._epoch += 1


class Validation(Told):
    def __iter__(self) -> Iterator[Any]:
        self._measuring.validation_begins()
        try:
            yield from self._loader
        finally:
            self._measuring.validation_ends()
