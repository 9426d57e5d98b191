"""The LightningModule and loaders that are trained to see how far validation overlaps with training.

Every process that validates may import this file, so there is nothing in it but torch and Lightning.
"""

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from harness.frameworks.lightning_package import pl
from harness.frameworks.overlap_load import Load

TINY_OPERATIONS = 1000
SIDE = 8  # of the images in digits


class LoadedTraining(pl.LightningModule):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    """Classifies digits, and takes the time that its load says.

    It counts the batches that it has been trained on, in a buffer: so weights tell their epoch wherever they are
    validated.

    Args:
        trace: a file to which every forward pass in evaluation appends a line: process, thread, batches trained on,
            and when it began and ended, by the clock that all processes share.
    """

    trained: Tensor

    def __init__(self, load: Load, features: int, classes: int, trace: str = "") -> None:
        super().__init__()
        self.load = load
        self.trace = trace
        self.net = _network(load, features, classes)
        self.ballast = torch.nn.Parameter(torch.zeros(max(1, load.weights_bytes // 4)))
        self.register_buffer("trained", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        began = time.monotonic()
        if self.load.kind == "sleep":
            time.sleep(self.load.train_s if self.training else self.load.validation_s)
        elif self.load.kind == "tiny":
            _many_operations()
        outputs: Tensor = self.net(x)
        if self.trace and not self.training:
            line = f"{os.getpid()} {threading.get_native_id()} {int(self.trained)} {began!r} {time.monotonic()!r}\n"
            with open(self.trace, "a", encoding="ascii") as file:
                file.write(line)
        return outputs

    @staticmethod
    def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(outputs, targets)

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.loss_fn(self(x), y) + self.ballast.mean()
        self.trained += 1
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


class LoadedModule(LoadedTraining):
    def validation_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y))


def _network(load: Load, features: int, classes: int) -> torch.nn.Module:
    if load.kind != "real":
        return torch.nn.Linear(features, classes)
    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, SIDE, SIDE)),
        torch.nn.Conv2d(1, 32, 3, padding=1), torch.nn.ReLU(),
        torch.nn.Conv2d(32, 32, 3, padding=1), torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(32 * SIDE * SIDE, classes),
    )  # fmt: skip


def _many_operations() -> None:
    with torch.no_grad():
        value = torch.ones(4)
        for _ in range(TINY_OPERATIONS):
            value = value * 0.5 + 1.0


def make_module(
    kind: type[LoadedTraining], load: Load, features: int, classes: int, seed: int, trace: str
) -> LoadedTraining:
    """With the same weights whenever it is called; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(load, features, classes, trace)


def make_loader(
    features: Tensor, targets: Tensor, batches: Sequence[Sequence[int]], generator: torch.Generator | None = None
) -> DataLoader:
    """Gives just these batches, in this order."""
    # Whole batches are fetched at once: putting them together sample by sample would take time of its own.
    sampler = [list(batch) for batch in batches]
    return DataLoader(TensorDataset(features, targets), sampler=sampler, batch_size=None, generator=generator)
