"""What all strategies train: a network in which the random generator, running statistics and metric objects matter."""

import copy

from torch import nn, optim
from torchmetrics import Accuracy, F1Score

from harness import Aggregate, scenario
from harness.frameworks.lightning_package import pl
from harness.oracle.quantities import accuracy, cross_entropy, f1_macro

REFERENCE = "parallel_validation/sequential/recommended"
WORKLOADS = "short/digits"
FEWER = "short/single_epoch"  # for what imports all of Lightning anew in every epoch
SOURCE = "document 003"
FIGURES = [
    Aggregate("val_loss", of=cross_entropy, stage="validation"),
    Aggregate("val_acc", of=accuracy, stage="validation"),
    Aggregate("val_f1", of=f1_macro, stage="validation"),
]


class Training(pl.LightningModule):
    """As the document's module, without a `validation_step`."""

    loss_fn = staticmethod(nn.functional.cross_entropy)

    def __init__(self, features, classes):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(features, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, classes)
        )

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return optim.Adam(self.parameters(), lr=0.01)


class Network(Training):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.accuracy = Accuracy(task="multiclass", num_classes=classes)
        self.f1 = F1Score(task="multiclass", num_classes=classes, average="macro")

    def validation_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.accuracy(y_hat, y)
        self.f1(y_hat, y)
        self.log("val_loss", self.loss_fn(y_hat, y))
        self.log("val_acc", self.accuracy)
        self.log("val_f1", self.f1)


def copied(module):
    """In Lightning 1.9, a module that is copied takes its trainer with it."""
    return copy.deepcopy(module, {id(module.trainer): None})


def validated(module, loader, callbacks=(), device=0):
    """The module's own validation, by a Trainer of its own; by name, what it logs.

    Args:
        device: which GPU it is on, if the module is on one.
    """
    where = {"accelerator": "gpu", "devices": [device]} if module.device.type == "cuda" else {"accelerator": "cpu"}
    trainer = pl.Trainer(
        **where, callbacks=list(callbacks), logger=False,
        enable_checkpointing=False, enable_model_summary=False, enable_progress_bar=False,
    )  # fmt: skip
    (figures,) = trainer.validate(module, loader, verbose=False)
    return figures


def declare(pattern, variant, fit, **more):
    return scenario(
        pattern=f"parallel_validation/{pattern}", variant=variant, source=SOURCE, fit=fit,
        **{"module": network, "aggregates": FIGURES, "same_as": REFERENCE, "workloads": WORKLOADS, **more},
    )  # fmt: skip


def network(data):
    return Network(data.features, data.classes)


def without_validation_step(data):
    return Training(data.features, data.classes)
