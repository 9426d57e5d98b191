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

    def another_module(self) -> Any:
        """Another module of the same kind, with weights of its own, that is recorded as the first is."""

    def train_loader(self, **options: Any) -> Any:
        """A DataLoader over the training batches.

        Args:
            options: `stream=True` for an iterable data set of batches, which does not know how many it has. Else
                `through`, a function that makes a data set of a data set, such as one that adds noise to its samples;
                and any of a DataLoader, such as `num_workers`.
        """

    def train_loaders(self, number: int) -> list[Any]:
        """So many DataLoaders that share the training batches: the first has the first, the second the second, and so
        on in turn."""

    def val_loader(self, **options: Any) -> Any:
        """A DataLoader over the validation batches, or a list of them if the workload has several. Like any, it draws a
        number from torch's global generator whenever it is iterated over, or from the `generator` that is among the
        options, with which it cannot be pickled."""

    def test_loader(self, **options: Any) -> Any:
        """As `val_loader`, over the same batches, to test on."""

    def predict_loader(self, **options: Any) -> Any:
        """A DataLoader over the same samples, in batches of the size of the first, to predict on: Lightning 1.9 makes
        it anew then, and cannot with batches that are cut beforehand."""

    def trainer(self, callbacks: Sequence[Any] = (), **arguments: Any) -> Any:
        """A Trainer that is recorded, as the workload's schedule has it: all trainings of a script together are to go
        through its epochs once. A script that does not train is to go over the batches once.

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
