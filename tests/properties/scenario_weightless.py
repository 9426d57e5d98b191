"""Every batch is filled up to a multiple of 8 with samples of weight 0, as is done where shapes must not vary."""

import torch
from torchmetrics import MeanMetric

from harness import Aggregate, scenario
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.models import Classifier


class FilledUp(Classifier):
    """Losses of samples that do not count are far from all others; the hits are added up on the device."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.val_loss = MeanMetric()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)

    def on_validation_epoch_start(self):
        self.hits = self.weights = 0.0

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        filling = x.new_zeros(-len(y) % 8)
        weights = torch.cat([x.new_ones(len(y)), filling])
        losses = torch.cat([self.loss_fn(logits, y, reduction="none"), filling + 1e6])
        self.val_loss.update(losses, weight=weights)
        self.log("val_loss", self.val_loss)
        self.hits += (torch.cat([logits.argmax(dim=1) == y, filling + 1]) * weights).sum()
        self.weights += weights.sum()

    def on_validation_epoch_end(self):
        self.log("val_acc", self.hits / self.weights)


scenario(
    pattern="properties/weightless", variant="recommended",
    module=lambda data: FilledUp(data.features, data.classes),
    aggregates=[
        Aggregate("val_loss", of=cross_entropy, stage="validation"),
        Aggregate("val_acc", of=accuracy, stage="validation"),
    ],
)  # fmt: skip
