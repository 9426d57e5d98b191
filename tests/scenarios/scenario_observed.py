"""A training of which a user notices a bit of everything; validation, a test and predictions follow it."""

import random
import threading
import warnings

import numpy as np
import torch

from harness import Aggregate, scenario
from harness.frameworks.lightning_package import pl
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier


class Observed(Classifier):
    def training_step(self, batch, batch_idx):
        x, y = batch
        if (self.current_epoch, batch_idx) == (1, 0):
            random.random()
            warnings.warn("hidden by default", DeprecationWarning, stacklevel=1)
            warning = threading.Thread(target=warnings.warn, args=("elsewhere",))
            warning.start()
            warning.join()
        if (self.current_epoch, batch_idx) == (2, 0):
            np.random.random()
        warnings.warn("shown", stacklevel=1)
        return self.loss_fn(self(x), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y))

    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("test_loss", self.loss_fn(self(x), y), prog_bar=True)

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.5)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)]


def everything(fit):
    best = pl.callbacks.ModelCheckpoint("kept", "{epoch}", monitor="val_loss", save_last=True)
    trainer = fit.trainer([best], enable_checkpointing=True)
    trainer.fit(fit.module, fit.train_loader(), fit.val_loader())
    trainer.validate(fit.module, fit.val_loader(), verbose=False)
    trainer.test(fit.module, fit.val_loader(), verbose=False)
    batches = list(fit.val_loader())
    trainer.predict(fit.module, torch.utils.data.DataLoader(batches, batch_size=None))  # a loader of one's own
    trainer.save_checkpoint("end.ckpt")
    try:
        trainer.test(fit.module, fit.val_loader(), ckpt_path="no such file")
    except FileNotFoundError:
        pass


scenario(
    pattern="observed/everything",
    variant="control",
    module=lambda data: Observed(data.features, data.classes),
    aggregates=[Aggregate("val_loss", of=cross_entropy, stage="validation")],
    workloads="short/digits",
    fit=everything,
)
