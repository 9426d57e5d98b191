"""Data that a LightningDataModule has, which makes its loaders once, or anew for every epoch."""

from harness.frameworks.lightning_package import pl
from scenarios.training_loop.logged import declare


class Data(pl.LightningDataModule):
    def __init__(self, fit):
        super().__init__()
        self.source = fit

    def train_dataloader(self):
        return self.source.train_loader()

    def val_dataloader(self):
        return self.source.val_loader()


def trains(fit, **arguments):
    fit.trainer(**arguments).fit(fit.module, datamodule=Data(fit))


declare("data_module", fit=trains)
declare("data_module_reloaded", fit=lambda fit: trains(fit, reload_dataloaders_every_n_epochs=1))
