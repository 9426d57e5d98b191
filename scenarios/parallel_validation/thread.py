"""A thread of the same process, with a copy of the module of its own, that validates while training goes on.

What threads share is the interpreter, and the random generator: whoever draws from it in one changes the other.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import torch

from harness import Expect
from harness.frameworks.lightning_package import pl
from scenarios.parallel_validation.network import FIGURES, copied, declare, validated


class ThreadPerEpoch(pl.Callback):
    """One thread, which validates one epoch after the other."""

    def __init__(self, loader):
        self.loader = loader
        self.thread = ThreadPoolExecutor(1)
        self.running = []

    def on_train_epoch_end(self, trainer, pl_module):
        result = self.thread.submit(self.validate, copied(pl_module))
        self.running.append((trainer.current_epoch, trainer.global_step - 1, result))

    def validate(self, module):
        return validated(module, self.loader)

    def on_train_end(self, trainer, pl_module):
        for epoch, step, result in self.running:
            for logger in trainer.loggers:
                logger.log_metrics({**result.result(), "epoch": epoch}, step=step)
        self.thread.shutdown()

    def on_exception(self, trainer, pl_module, exception):
        self.thread.shutdown(cancel_futures=True)


class WaitsForTheDraw(ThreadPerEpoch):
    """Goes on training when the loader has drawn its number, so that the same happens whenever this is run."""

    def on_train_epoch_end(self, trainer, pl_module):
        self.drawn = threading.Event()
        super().on_train_epoch_end(trainer, pl_module)
        self.drawn.wait()

    def validate(self, module):
        return validated(module, self.loader, [Begun(self.drawn)])


class Begun(pl.Callback):
    def __init__(self, event):
        self.event = event

    def on_validation_batch_start(self, *args, **kwargs):
        self.event.set()


def with_its_own_generator(fit):
    callback = ThreadPerEpoch(fit.val_loader(generator=torch.Generator()))
    fit.trainer(callbacks=[callback]).fit(fit.module, fit.train_loader())


def by_default(fit):
    fit.trainer(callbacks=[WaitsForTheDraw(fit.val_loader())]).fit(fit.module, fit.train_loader())


declare("thread", "migrated", with_its_own_generator)
# From the second epoch on its weights are others, so what is true of them is not known from the reference.
declare(
    "thread", "control", by_default, aggregates=FIGURES[:1],
    expects=[Expect("unknown", checker="aggregate"), Expect("violated", checker="same_as")],
)  # fmt: skip
