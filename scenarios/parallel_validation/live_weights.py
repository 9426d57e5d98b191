"""A thread that validates the weights themselves, and no copy of them: what it would see some day, it sees here always.

It begins when the next epoch has trained on a batch, and that goes on when it is done: no two threads run at a time.
"""

import threading

import torch

from harness import Expect
from harness.frameworks.lightning_package import pl
from scenarios.parallel_validation.network import FIGURES, copied, declare, validated


class LiveWeights(pl.Callback):
    def __init__(self, loader):
        self.loader = loader
        self.waiting = None

    def on_train_epoch_end(self, trainer, pl_module):
        self.trained, self.figures = threading.Event(), {}
        place = trainer.current_epoch, trainer.global_step - 1
        thread = threading.Thread(target=self.validate, args=(with_the_same_tensors(pl_module),))
        thread.start()
        self.waiting = thread, *place

    def validate(self, module):
        self.trained.wait()
        self.figures.update(validated(module, self.loader))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.let_it_validate(trainer)

    def on_train_end(self, trainer, pl_module):
        self.let_it_validate(trainer)

    def let_it_validate(self, trainer):
        if self.waiting:
            thread, epoch, step = self.waiting
            self.trained.set()
            thread.join()
            self.waiting = None
            for logger in trainer.loggers:
                logger.log_metrics({**self.figures, "epoch": epoch}, step=step)


def with_the_same_tensors(module):
    """Another module, that it can be put into evaluation mode; its weights change as those of the first one do."""
    twin = copied(module)
    theirs = module.state_dict()
    for name, mine in twin.state_dict(keep_vars=True).items():
        mine.data = theirs[name]
    return twin


def script(fit):
    callback = LiveWeights(fit.val_loader(generator=torch.Generator()))
    fit.trainer(callbacks=[callback]).fit(fit.module, fit.train_loader())


# Training is what it was. The last epoch is followed by no other, and is right.
declare(
    "live_weights", "control", script, aggregates=FIGURES[:1],
    expects=[
        Expect("wrong", checker="aggregate"), Expect("ok", "weights", "same_as"), Expect("violated", checker="same_as"),
    ],
)  # fmt: skip
