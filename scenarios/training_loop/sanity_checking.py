"""Validation before training, which is to leave no trace in the figures of an epoch."""

from torchmetrics import Accuracy

from harness import Aggregate
from harness.oracle.quantities import accuracy
from scenarios.training_loop.logged import FIGURES, Logged, declare


class Counting(Logged):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.accuracy = Accuracy(task="multiclass", num_classes=classes)

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        x, y = batch
        self.accuracy(self(x), y)
        self.log("val_acc", self.accuracy)

    def on_validation_epoch_end(self):
        self.log("while_sanity_checking", float(self.trainer.sanity_checking))


VAL_ACCURACY = Aggregate("val_acc", of=accuracy, stage="validation")

for name, batches in (("sanity_none", 0), ("sanity_two", 2), ("sanity_all", -1)):
    declare(name, Counting, trainer={"num_sanity_val_steps": batches}, aggregates=[*FIGURES, VAL_ACCURACY])
