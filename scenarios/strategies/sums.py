"""A sum and a count per figure: as Python floats, which every step waits for, or as tensors, which none does."""

import torch
from torch import nn

from harness import Expect
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


class Sums(nn.Module):
    """Buffers, so they are where the module is, and in its checkpoints: an epoch that is resumed goes on. The loss
    is added up in float64, so that many small terms do not drift; a confusion matrix holds whatever is counted."""

    def __init__(self, classes):
        super().__init__()
        self.register_buffer("loss", torch.zeros((), dtype=torch.float64))
        self.register_buffer("confusion", torch.zeros(classes, classes, dtype=torch.long))
        self.register_buffer("one", torch.ones((), dtype=torch.long))

    def add(self, loss, y_hat, y):
        self.loss.add_(loss.detach(), alpha=len(y))
        self.confusion.index_put_((y, y_hat.argmax(dim=1)), self.one, accumulate=True)

    def take(self):
        """The epoch's figures; what comes next starts from nothing."""
        hit, true, guessed = self.confusion.diag(), self.confusion.sum(dim=1), self.confusion.sum(dim=0)
        samples, occurs = true.sum(), true + guessed > 0
        f1 = (2 * hit[occurs] / (true + guessed)[occurs]).mean()
        taken = {"loss": self.loss / samples, "acc": hit.sum() / samples, "f1": f1}
        self.loss.zero_()
        self.confusion.zero_()
        return taken


class DeviceSums(Classifier):
    """The same sums where the batch is, of which no step waits for any."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.train_sums, self.val_sums = Sums(classes), Sums(classes)

    def training_step(self, batch, batch_idx):
        return self.add(self.train_sums, *batch)

    def validation_step(self, batch, batch_idx):
        self.add(self.val_sums, *batch)

    def add(self, sums, x, y):
        y_hat = self(x)
        loss = self.loss_fn(y_hat, y)
        sums.add(loss, y_hat, y)
        return loss

    def on_train_epoch_end(self):
        self.report("train", self.train_sums)

    def on_validation_epoch_end(self):
        self.report("val", self.val_sums)

    def report(self, prefix, sums):
        self.log_dict({f"{prefix}_{name}": figure for name, figure in sums.take().items()})


strategy(
    "python_sums", "migrated", PythonSums, figures(loss=exact, acc=exact),
    # From 2.5 on no hook starts an epoch that is resumed.
    expects=[
        Expect(
            "raised", workload="adversarial/resumed", needs="pytorch_lightning>=2.5", exception="AttributeError"
        )
    ],
)  # fmt: skip
strategy("device_sums", "recommended", DeviceSums, figures(in_checkpoints=True, loss=exact, acc=exact, f1=exact))
