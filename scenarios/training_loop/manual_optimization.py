"""Optimizers and schedulers that the training step itself steps, in turn, each for its own part of the network."""

import inspect

import torch

from scenarios.training_loop.logged import Logged, declare


class Alternating(Logged):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.automatic_optimization = False

    def configure_optimizers(self):
        optimizers = [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in (self.net[0], self.net[2])]
        return optimizers, [torch.optim.lr_scheduler.ExponentialLR(each, gamma=0.5) for each in optimizers]

    def training_step(self, batch, batch_idx):
        number = batch_idx % 2
        optimizer = self.optimizers()[number]
        self.toggle_optimizer(*self.which(optimizer, number))
        loss = super().training_step(batch, batch_idx)
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(optimizer, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
        optimizer.step()
        self.untoggle_optimizer(*self.which(optimizer, number)[-1:])

    def which(self, optimizer, number):
        """How it is told which optimizer is meant; in Lightning 1.9, by its number besides."""
        named = inspect.signature(self.toggle_optimizer).parameters
        return [optimizer, number] if "optimizer_idx" in named else [optimizer]

    def on_train_epoch_end(self):
        for scheduler in self.lr_schedulers():
            scheduler.step()


class Accumulating(Alternating):
    """Takes a step every two batches, and at the end."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        loss = Logged.training_step(self, batch, batch_idx)
        self.manual_backward(loss / 2)
        if batch_idx % 2 == 1 or self.trainer.is_last_batch:
            optimizer.step()
            optimizer.zero_grad()

    def on_train_epoch_end(self):
        pass


declare("manual_alternating", Alternating)
declare("manual_accumulating", Accumulating)
