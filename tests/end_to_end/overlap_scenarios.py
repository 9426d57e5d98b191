"""Strategies that fail, each in its own way, where they are measured."""

from harness.frameworks.lightning_package import pl
from scenarios.parallel_validation.network import declare


class Spoils(pl.Callback):
    """Changes weights when training does not expect it."""

    def on_train_epoch_end(self, trainer, pl_module):
        for parameter in pl_module.parameters():
            parameter.data += 1


def spoils(fit):
    fit.trainer(callbacks=[Spoils()]).fit(fit.module, fit.train_loader(), fit.val_loader())


def raises(fit):
    raise RuntimeError("it cannot")


declare("spoils", "control", spoils)
declare("raises", "control", raises)
