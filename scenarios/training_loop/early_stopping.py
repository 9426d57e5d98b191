"""When training ends before `max_epochs`: after the third epoch, in all of these.

The loss falls in every epoch. So whoever waits for it to rise waits in vain from the second epoch on.
"""

from harness import Expect
from harness.frameworks.lightning_package import pl
from scenarios.training_loop.logged import Logged, declare


def stops(name, module=Logged, monitor="val_loss", patience=2, stopping=None, expects=(), **trainer):
    def script(fit):
        early = pl.callbacks.EarlyStopping(monitor, mode="max", patience=patience, **(stopping or {}))
        trained = fit.trainer(callbacks=[early], **{"max_epochs": 10, **trainer})
        trained.fit(fit.module, fit.train_loader(), fit.val_loader())

    declare(f"early_stopping_{name}", module, fit=script, workloads="short/digits", expects=expects)


class InValidationEpochEnd(Logged):
    def on_validation_epoch_end(self):
        self.log("epoch_figure", -float(self.current_epoch))


class InTrainEpochEnd(Logged):
    def on_train_epoch_end(self):
        self.log("epoch_figure", -float(self.current_epoch))


class InTrainEpochStart(Logged):
    def on_train_epoch_start(self):
        self.log("epoch_figure", -float(self.current_epoch))


stops("patience")
stops("min_epochs", patience=1, min_epochs=3)
stops("min_steps", patience=1, min_steps=15)
stops("max_steps", patience=10, max_epochs=-1, max_steps=15)
stops("train_loss", monitor="train_loss")
stops("validation_end_check", stopping={"check_on_train_epoch_end": False})
stops("threshold", InValidationEpochEnd, "epoch_figure", patience=10, stopping={"divergence_threshold": -1.5})
stops("validation_epoch_end", InValidationEpochEnd, "epoch_figure")
stops(
    "train_epoch_end", InTrainEpochEnd, "epoch_figure",
    # It looks for the figure before the module has logged it.
    expects=[Expect("raised", needs="pytorch_lightning<2.0", exception="RuntimeError")],
)  # fmt: skip
stops("train_epoch_start", InTrainEpochStart, "epoch_figure")
