"""What a scenario's own script trains with: `fit=` of a scenario. Standard library only."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class Fit(Protocol):
    """In Lightning: one training of the scenario's module on the workload, up to whom the script makes it.

    Attributes:
        module: the module to train; in a trial, it is recorded, and its copies are not.
        new_module: picklable; returns another module of the same kind, which nobody records, with weights drawn from
            torch's global generator.
    """

    module: Any
    new_module: Callable[[], Any]

    def train_loader(self) -> Any:
        """A DataLoader over the training batches."""

    def val_loader(self, generator: Any = None) -> Any:
        """A DataLoader over the validation batches, or a list of them if the workload has several. Like any, it draws a
        number from torch's global generator whenever it is iterated over, or from `generator`, with which it cannot be
        pickled."""

    def trainer(self, callbacks: Sequence[Any] = (), **arguments: Any) -> Any:
        """The Trainer that is recorded, as the workload's schedule has it; to be called once.

        Args:
            callbacks: the scenario's own; so are their hooks recorded.
            arguments: further ones, which come before the harness's own.
        """


class KerasFit(Protocol):
    """In Keras: one training of the scenario's model on the workload.

    Attributes:
        module: the compiled model to train; in a trial, it is recorded.
        new_module: picklable; returns another model of the same kind, which nobody records, with weights of its own.
    """

    module: Any
    new_module: Callable[[], Any]

    def val_loader(self) -> Any:
        """The validation batches, for `validation_data` or `evaluate`; picklable."""

    def logger(self) -> Any:
        """A callback for whoever learns the figures of an epoch after its end: it notes those it is told by
        `on_epoch_end` besides what callbacks were told then, once it is told `on_train_end`."""

    def fit(self, callbacks: Sequence[Any] = (), **arguments: Any) -> None:
        """`module.fit` over the training batches, recorded, as the workload's schedule has it; to be called once. It
        validates only if it is given `validation_data`.

        Args:
            callbacks: the scenario's own; so are their hooks recorded.
            arguments: further ones, which come before the harness's own.
        """
