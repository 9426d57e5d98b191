"""A sum and a count per figure: as Python floats, which every step waits for, or as tensors, which none does."""

import torch

from scenarios.models import Classifier
from scenarios.strategies.figures import exact, figures, strategy


class PythonSums(Classifier):
    def on_train_epoch_start(self):
        self.start("train")

    def on_validation_epoch_start(self):
        self.start("val")

    def start(self, prefix):
        self.sums = getattr(self, "sums", {})
        self.sums[prefix] = [0.0, 0, 0]

    def training_step(self, batch, batch_idx):
        return self.add(self.sums["train"], *batch)

    def validation_step(self, batch, batch_idx):
        self.add(self.sums["val"], *batch)

    def add(self, sums, x, y):
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        sums[0] += loss.item() * len(y)
        sums[1] += (y_hat.argmax(dim=1) == y).sum().item()
        sums[2] += len(y)
        return loss

    def on_train_epoch_end(self):
        self.report("train")

    def on_validation_epoch_end(self):
        self.report("val")

    def report(self, prefix):
        loss, hits, samples = self.sums[prefix]
        self.log(f"{prefix}_loss", loss / samples)
        self.log(f"{prefix}_acc", hits / samples)


class DeviceSums(PythonSums):
    """The same sums where the batch is, in float64 so that many small terms do not drift; and, for a figure that
    is no mean, counts per class."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.classes = classes

    def start(self, prefix):
        self.sums = getattr(self, "sums", {})
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        counts = torch.zeros(3, self.classes, dtype=torch.long, device=self.device)
        self.sums[prefix] = [loss, counts, 0]

    def add(self, sums, x, y):
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        guess = y_hat.detach().argmax(dim=1)
        sums[0] += loss.detach() * len(y)
        one = torch.ones_like(y)
        for count, index, amount in zip(sums[1], (guess, y, y), (one, one, guess == y), strict=True):
            count.index_add_(0, index, amount.long())
        sums[2] += len(y)
        return loss

    def report(self, prefix):
        loss, (guessed, true, hit), samples = self.sums[prefix]
        occurs = guessed + true > 0
        self.log(f"{prefix}_loss", loss / samples)
        self.log(f"{prefix}_acc", hit.sum() / samples)
        self.log(f"{prefix}_f1", (2 * hit[occurs] / (guessed + true)[occurs]).mean())


strategy("python_sums", "migrated", PythonSums, figures(loss=exact, acc=exact))
strategy("device_sums", "recommended", DeviceSums, figures(loss=exact, acc=exact, f1=exact))
