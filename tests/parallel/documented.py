"""Document 003's way, mended so far that it runs and that its figures are right where nothing goes wrong.

What is mended: the module's own validation runs in the child, forked; results say their epoch and step, and are logged
in order. What is as documented: a process per epoch, one queue for all of them, and at the end all are joined before
the queue is read until it is empty.
"""

import multiprocessing
from collections.abc import Callable
from typing import Any

from mishaps import SENDING, Mishaps

from harness.frameworks.lightning_package import pl
from harness.parallel.outcome import Outcome
from harness.parallel.weights import digest, tensors_of

CONTEXT = multiprocessing.get_context("fork")


class DocumentedValidation(pl.Callback):
    """Its `outcomes` are what the queue brought."""

    def __init__(self, loaders: Callable[[], Any], mishaps: Mishaps, big: bool) -> None:
        self.outcomes: list[Outcome] = []
        self._loaders, self._mishaps, self._big = loaders, mishaps, big
        self._queue = CONTEXT.Queue()
        self._processes: list[Any] = []

    def on_train_epoch_end(self, trainer, pl_module):
        moment = trainer.current_epoch, trainer.global_step
        process = CONTEXT.Process(target=self._validate, args=(pl_module, trainer.fit_loop.state_dict(), *moment))
        process.start()
        self._processes.append(process)

    def on_train_end(self, trainer, pl_module):
        for process in self._processes:
            process.join()
        while not self._queue.empty():
            epoch, step, metrics, weights = self._queue.get()
            self.outcomes.append(Outcome(epoch, step, "ok", metrics, digest=weights))
        self.outcomes.sort(key=lambda outcome: outcome.epoch)
        for outcome in self.outcomes:
            trainer.logger.log_metrics({**outcome.metrics, "epoch": outcome.epoch}, outcome.step - 1)
        for process in self._processes:
            process.terminate()

    def _validate(self, module: Any, loops: Any, epoch: int, step: int) -> None:
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_model_summary=False,
            enable_checkpointing=False,
        )  # fmt: skip
        trainer.fit_loop.load_state_dict(loops)
        loaders = self._loaders()
        trainer.validate(module, loaders, verbose=False)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val")}
        if self._mishaps.is_due(SENDING):
            self._queue._send_bytes = _Cut(self._queue._writer, self._mishaps).send_bytes
        self._queue.put((epoch, step, metrics, digest(tensors_of(module))))


class _Cut:
    """A pipe to which half of what is sent is written before a mishap; by the queue's own thread, under its lock."""

    def __init__(self, end: Any, mishaps: Mishaps) -> None:
        self._end, self._mishaps = end, mishaps

    def send_bytes(self, data: Any) -> None:
        self._end._send(len(data).to_bytes(4, "big") + bytes(data[: len(data) // 2]))
        self._mishaps.at(SENDING)
        self._end._send(bytes(data[len(data) // 2 :]))
