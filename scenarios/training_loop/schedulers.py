"""When the learning rate is changed, and whether it still is where an epoch ends early."""

import torch

from harness.frameworks.lightning_package import pl
from scenarios.training_loop.logged import TRAIN_LOSS, Logged, declare

CUT = "short/cut"  # one epoch, of which three batches are to be seen


class Scheduled(Logged):
    """Args:
    scheduler: makes one of an optimizer.
    how: what Lightning is told of it, such as its interval.
    """

    def __init__(self, features, classes, scheduler, **how):
        super().__init__(features, classes)
        self.scheduler, self.how = scheduler, how

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.scheduler(optimizer), **self.how}}


def halved(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)


def on_plateau(optimizer):
    """Loss falls: by `max`, it gets worse at once."""
    return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", patience=0)


class StopsAtThirdBatch(pl.Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = batch_idx == 2


def stopped(fit):
    trainer = fit.trainer([StopsAtThirdBatch()], limit_train_batches=1.0)
    trainer.fit(fit.module, fit.train_loader())


def out_of_steps(fit):
    fit.trainer(max_epochs=-1, max_steps=3, limit_train_batches=1.0).fit(fit.module, fit.train_loader())


def scheduled(name, scheduler, workloads="short/digits", more=None, **how):
    declare(
        f"scheduler_{name}", lambda features, classes: Scheduled(features, classes, scheduler, **how),
        workloads=workloads, callbacks=lambda: [pl.callbacks.LearningRateMonitor()], **(more or {}),
    )  # fmt: skip


scheduled("epoch", halved, interval="epoch")
scheduled("every_2_epochs", halved, interval="epoch", frequency=2)
scheduled("step", halved, interval="step")
scheduled("every_2_steps", halved, interval="step", frequency=2, workloads="short/accumulation")
scheduled("plateau", on_plateau, monitor="val_loss")
scheduled("plateau_not_strict", on_plateau, monitor="no_such_figure", strict=False)
for interval in ("epoch", "step"):
    for end, script in (("stopped", stopped), ("out_of_steps", out_of_steps)):
        more = {"fit": script, "aggregates": [TRAIN_LOSS]}
        scheduled(f"{interval}_{end}", halved, CUT, more, interval=interval)
