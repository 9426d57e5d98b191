"""Data modules of one's own: one whose training is stopped early, with a checkpoint and a progress bar, where each or
every other epoch is validated, and one that is never validated on, since Lightning knows no loader of that name."""

import torch
from torch.utils.data import DataLoader, TensorDataset

from harness import Aggregate, Expect, scenario
from harness.frameworks.lightning_package import pl
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier


def loader(batches):
    inputs = torch.arange(8.0 * batches).reshape(-1, Trained.features).sin()
    return DataLoader(TensorDataset(inputs, torch.arange(2 * batches) % Trained.classes), batch_size=2)


class Trained(pl.LightningDataModule):
    features, classes = 4, 3

    def train_dataloader(self):
        return loader(3)


class Validated(Trained):
    def val_dataloader(self):
        return loader(2)


class Misnamed(Trained):
    def valid_dataloader(self):
        return loader(2)


class Logs(Classifier):
    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y))


class NoBar(pl.callbacks.TQDMProgressBar.__base__):
    """A progress bar that shows nothing."""

    def disable(self):
        pass


def callbacks():
    never_better = pl.callbacks.EarlyStopping("val_loss", min_delta=100, patience=1)
    return [never_better, pl.callbacks.ModelCheckpoint(filename="best", monitor="val_loss"), NoBar()]


def declare(variant, **different):
    scenario(
        pattern="own_data/training", variant=variant, module=lambda data: Logs(data.features, data.classes),
        aggregates=[Aggregate("val_loss", of=cross_entropy, stage="validation")], **different,
    )  # fmt: skip


declare("recommended", data=Validated, trainer={"max_epochs": 6}, callbacks=callbacks)
declare("migrated", data=Validated, trainer={"max_epochs": 6, "check_val_every_n_epoch": 2}, callbacks=callbacks)
declare("as_documented", data=Misnamed)
declare("control", data=Misnamed, expects=[Expect("missing", checker="aggregate")])
