"""What goes wrong in a training or validation step."""

from collections.abc import Callable
from typing import Any, NoReturn

from harness.faults.fault import Fault, InjectedError
from harness.faults.injector import Injector
from harness.history.encoding import encode_error


def throw(injector: Injector, fault: Fault, batch: int | None = None) -> NoReturn:
    """Raise the exception of a fault, having noted it.

    Raises:
        InjectedError: always.
    """
    error = InjectedError(fault.message)
    injector.fire(fault, batch, encode_error(error))
    raise error


def relabelled(fault: Fault, batch: Any, broadcast: Callable[[Any], Any]) -> Any:
    """A batch (features, targets) whose targets are of another shape: one fewer, which no loss takes, or what
    `broadcast` makes of them, which it takes in silence."""
    features, targets = batch
    return features, targets[:-1] if fault.kind == "labels_raise" else broadcast(targets)
