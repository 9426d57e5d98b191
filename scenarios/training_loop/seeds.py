"""What a data set draws, in the training's own process and in a worker: noise, from three random generators."""

import random

import numpy as np
import torch

from harness.frameworks.lightning_package import pl
from scenarios.training_loop.logged import declare


class Noisy(torch.utils.data.Dataset):
    def __init__(self, clean):
        self.clean = clean

    def __len__(self):
        return len(self.clean)

    def __getitem__(self, index):
        x, y = self.clean[index]
        return x + 0.1 * torch.randn_like(x) + 0.1 * random.random() + 0.1 * np.random.rand(), y


def trains(fit, **options):
    train = fit.train_loader(through=Noisy, **options)
    fit.trainer().fit(fit.module, train, fit.val_loader())


def seeded(fit):
    pl.seed_everything(7)
    trains(fit)


def seeded_workers(fit):
    pl.seed_everything(7, workers=True)
    trains(fit, num_workers=1)


def unseeded_workers(fit):
    pl.seed_everything(7, workers=False)
    trains(fit, num_workers=1)


def persistent_workers(fit):
    pl.seed_everything(7, workers=True)
    trains(fit, num_workers=1, persistent_workers=True)


declare("seeds_main_process", fit=seeded)
declare("seeds_worker", fit=seeded_workers)
declare("seeds_worker_unseeded", fit=unseeded_workers, workloads="short/single_epoch")
declare("seeds_persistent_worker", fit=persistent_workers)
