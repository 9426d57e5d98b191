"""Where in Lightning a change can be planted.

Imported by `planted_bugs` and `harmless_changes` in trials, and by the tests that list them.
"""

import importlib
from typing import Any

from harness.frameworks.lightning_package import NAME, pl


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
