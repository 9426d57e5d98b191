"""How a change is planted in Lightning or torchmetrics, inside the trial's process, and where it can be.

Imported by `planted_bugs` and `harmless_changes` in trials, and by the tests that list them.
"""

import functools
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.frameworks.lightning_package import NAME, pl


@dataclass(frozen=True)
class Change:
    """A change that a release could bring, and the trial on which it is tried.

    Attributes:
        on: `scenario@workload`.
        caught_by: the checker that must object, and what it must object to; None for a harmless change.
        needs: where the place that is changed exists.
    """

    make: Callable[[], None]
    on: str
    caught_by: tuple[str, str] | None = None
    needs: str = ""

    @property
    def name(self) -> str:
        return self.make.__name__

    @property
    def prelude(self) -> str:
        return f"{inspect.getfile(self.make)}:{self.name}"


def around(owner: Any, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replace `owner.name` by the decorated function, which gets the original as its first argument.

    The first call leaves a line in the trial's output, so that a test can tell whether it was ever reached.
    """
    is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
    inner = getattr(owner, name)

    def replace(function: Callable[..., Any]) -> None:
        @functools.wraps(inner)
        def replacement(*args: Any, **kwargs: Any) -> Any:
            tell_that_it_was_reached(name)
            return function(inner, *args, **kwargs)

        setattr(owner, name, staticmethod(replacement) if is_static else replacement)

    return replace


@functools.cache
def tell_that_it_was_reached(name: str) -> None:
    print(f"reached: {name}", flush=True)


def part(name: str) -> Any:
    """A module of Lightning, by its name below the package."""
    return importlib.import_module(f"{NAME}.{name}")


def results() -> Any:
    """The module that keeps what `self.log` was given, and reduces it over an epoch."""
    return part("trainer.connectors.logger_connector.result")


def logger_connector() -> Any:
    """The class that hands figures to loggers, callbacks and the progress bar."""
    module = part("trainer.connectors.logger_connector.logger_connector")
    return getattr(module, "_LoggerConnector", None) or module.LoggerConnector


def hook_caller() -> Any:
    """Whatever calls hooks: functions of a module from 2.0 on, methods of the trainer before; both are given
    the trainer and the name of the hook first."""
    module = part("trainer.call")
    return module if hasattr(module, "_call_callback_hooks") else pl.Trainer


def training_epoch_loop() -> Any:
    loops = part("loops")
    return getattr(loops, "_TrainingEpochLoop", None) or loops.TrainingEpochLoop
