"""Figures that forget: the mean of the last n batches whenever there are n, and an exponential mean of batches."""

from harness.oracle.predictions import every_n_batches, exponential_mean
from scenarios.models import Classifier
from scenarios.strategies.figures import figures, strategy

N, ALPHA = 4, 0.9


class EveryNBatches(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.window = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        self.window.append(loss.detach())
        if len(self.window) == N:
            self.log("train_loss", sum(self.window) / N, on_step=False, on_epoch=True)
            self.window.clear()
        return loss


class ExponentialMean(Classifier):
    smoothed = None

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        new = loss.detach()
        self.smoothed = new if self.smoothed is None else ALPHA * self.smoothed + (1 - ALPHA) * new
        self.log("train_loss", self.smoothed, on_step=False, on_epoch=True)
        return loss


strategy("every_n_batches", "migrated", EveryNBatches, figures(["train"], loss=every_n_batches(N)))
strategy("exponential_mean", "migrated", ExponentialMean, figures(["train"], loss=exponential_mean(1, ALPHA)))
