"""The mean over ranks of each rank's own mean, which weighs samples of a rank with few more; and all samples of all
ranks, gathered and put together, which takes as many samples on each."""

import torch
from torch.nn import functional

from scenarios.ranks.figures import OF_ONE_SIZE, Trained, declare, val_loss


class Kept(Trained):
    def on_validation_epoch_start(self):
        self.losses = []

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.losses.append(functional.cross_entropy(self(x), y, reduction="none"))


class MeanOfMeans(Kept):
    def on_validation_epoch_end(self):
        self.log("val_loss", torch.cat(self.losses).mean(), sync_dist=True)


class Gathered(Kept):
    def on_validation_epoch_end(self):
        self.log("val_loss", self.all_gather(torch.cat(self.losses)).mean())


declare("mean_of_means", "migrated", MeanOfMeans, val_loss(across="ranks"))
declare("gathered", "migrated", Gathered, val_loss(), workloads=OF_ONE_SIZE)
