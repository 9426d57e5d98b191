"""What the Trainer makes of a module in single precision, on the CPU; it has other names for that in Lightning 1.9."""

from harness import Expect
from harness.frameworks.lightning_package import pl
from scenarios.training_loop.logged import declare


def trains_in(*names):
    """By the first of the names that this Trainer knows."""

    def script(fit):
        trainer = fit.trainer(precision=next(filter(is_known, names)))
        trainer.fit(fit.module, fit.train_loader(), fit.val_loader())

    return script


def is_known(precision):
    try:
        pl.Trainer(precision=precision, accelerator="cpu", logger=False, enable_checkpointing=False)
    except (ValueError, pl.utilities.exceptions.MisconfigurationException):
        return False
    return True


# That the outputs are no longer in single precision is the point.
OTHER_OUTPUTS = Expect("violated", checker="precision")

declare("precision_double", fit=trains_in("64-true", 64), expects=[OTHER_OUTPUTS])
declare("precision_mixed", fit=trains_in("bf16-mixed", "bf16"), expects=[OTHER_OUTPUTS])
declare("precision_half", fit=trains_in("bf16-true"), expects=[OTHER_OUTPUTS], needs="pytorch_lightning>=2.1")
