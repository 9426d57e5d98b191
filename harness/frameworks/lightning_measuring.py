"""Tells what is measured (`harness.frameworks.measuring`) how far Lightning is.

What is read holds Lightning's dispatch to this callback as well, which is the same in every module.
"""

from typing import Any

from harness.frameworks.lightning_package import pl
from harness.frameworks.measuring import Measuring


class Telling(pl.Callback):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    def __init__(self, measuring: Measuring) -> None:
        self._measuring = measuring

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._measuring.attach(pl_module)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._measuring.training_begins(list(pl_module.parameters()), trainer.num_training_batches)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._measuring.epoch_begins(trainer.current_epoch)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self._measuring.batch_begins(batch_idx):
            trainer.should_stop = True

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx + 1 == trainer.num_training_batches:
            self._measuring.batches_end()
