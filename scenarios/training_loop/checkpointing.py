"""When checkpoints are written, what they are called, and which is said to be the best."""

from datetime import timedelta

import torch

from harness.frameworks.lightning_package import pl
from scenarios.training_loop.logged import Logged, declare

THREE_EPOCHS = "short/digits"


class Manual(Logged):
    """Takes the optimizer's steps itself."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        loss = super().training_step(batch, batch_idx)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()


class Halves(Manual):
    """With two optimizers, each of which takes a step in every batch."""

    def configure_optimizers(self):
        return [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in (self.net[0], self.net[2])]

    def training_step(self, batch, batch_idx):
        loss = Logged.training_step(self, batch, batch_idx)
        for optimizer in self.optimizers():
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in self.optimizers():
            optimizer.step()


def checkpoints(name, *options, module=Logged, workloads=THREE_EPOCHS):
    """Of as many callbacks as there are options."""
    declare(
        f"checkpoint_{name}", module, workloads=workloads, trainer={"enable_checkpointing": True},
        callbacks=lambda: [pl.callbacks.ModelCheckpoint("checkpoints", **each) for each in options],
    )  # fmt: skip


checkpoints("best_two", {"monitor": "val_loss", "save_top_k": 2, "filename": "{epoch}-{step}-{val_loss:.3f}"})
checkpoints("best_and_last", {"monitor": "val_loss", "mode": "max", "save_last": True, "filename": "{epoch}"})
checkpoints("last_only", {"save_top_k": 0, "save_last": True})
checkpoints("train_loss", {"monitor": "train_loss", "filename": "{epoch}-{step}"})
checkpoints("every_2_epochs", {"every_n_epochs": 2, "save_top_k": -1})
checkpoints("validation_end", {"save_on_train_epoch_end": False, "save_top_k": -1})
checkpoints(
    "every_2_steps", {"every_n_train_steps": 2, "save_top_k": -1, "save_last": True}, workloads="short/accumulation"
)
checkpoints(
    "train_time",
    {"train_time_interval": timedelta(microseconds=1), "save_top_k": -1, "filename": "always-{epoch}-{step}"},
    {"train_time_interval": timedelta(hours=1), "save_top_k": -1, "filename": "never-{epoch}-{step}"},
)
checkpoints("mid_epoch", {"monitor": "val_loss", "save_top_k": -1}, workloads="short/two_validations")
checkpoints("manual", {"every_n_train_steps": 2, "save_top_k": -1}, module=Manual)
checkpoints("manual_two_optimizers", {"every_n_train_steps": 2, "save_top_k": -1}, module=Halves)
declare("checkpoint_by_default", trainer={"enable_checkpointing": True})
