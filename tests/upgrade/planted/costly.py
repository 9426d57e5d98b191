"""Changes of Lightning that cost time, memory or host syncs, or nothing, and alter no figure.

To plant another, write one function here, and a line in `candidates`.
"""

import sys
import time

from changes import around, tell_that_it_was_reached
from planting import NAME, part, pl, results


def extra_host_sync():
    """What is logged is read back from the device, as a check for NaN would."""

    @around(results()._ResultCollection, "log")
    def log(inner, self, fx, name, value, *args, **kwargs):
        if hasattr(value, "item") and value.numel() == 1:
            value.item()
        inner(self, fx, name, value, *args, **kwargs)


def outputs_kept_in_an_epoch():
    """What every training step returns is kept until the epoch's end."""
    kept = []

    @around(part("strategies").Strategy, "training_step")
    def training_step(inner, self, batch, batch_idx, *rest):
        if batch_idx == 0:
            kept.clear()
        outputs = inner(self, batch, batch_idx, *rest)
        kept.append(outputs)
        return outputs


def outputs_kept_for_good():
    """What every training step returns is kept, and never let go."""
    kept = []

    @around(part("strategies").Strategy, "training_step")
    def training_step(inner, self, *args):
        kept.append(inner(self, *args))
        return kept[-1]


def an_operation_more():
    """A tensor is copied once more, by every `self.log`."""

    @around(results()._ResultCollection, "log")
    def log(inner, self, fx, name, value, *args, **kwargs):
        if hasattr(value, "clone") and not hasattr(value, "compute"):
            value = value.clone()
        inner(self, fx, name, value, *args, **kwargs)


def calls_more():
    """Every `self.log` calls a hundred small functions more: some five in a hundred of a step that logs one figure."""

    def nothing():
        pass

    @around(results()._ResultCollection, "log")
    def log(inner, self, *args, **kwargs):
        for _ in range(100):
            nothing()
        inner(self, *args, **kwargs)


def busy(turns):
    """Every `self.log` takes as much longer as so many turns of an empty loop: no call, no operation, no memory."""
    log = pl.LightningModule.log

    def busy_log(self, *args, **kwargs):
        tell_that_it_was_reached("log")
        for _ in range(turns):
            pass
        return log(self, *args, **kwargs)

    busy_log.__name__ = "log"
    pl.LightningModule.log = busy_log


# Harmless


def slower_import():
    """To import Lightning takes half a second longer."""
    time.sleep(0.5)


def private_call_more():
    """Every `self.log` goes through one more private function."""

    @around(results()._ResultCollection, "log")
    def log(inner, self, *args, **kwargs):
        inner(self, *args, **kwargs)


def attribute_added():
    """Trainers and modules have one more attribute."""
    pl.Trainer.patience = None
    pl.LightningModule.example = None


def docstring_changed():
    """The documentation of a hook says something else."""
    pl.LightningModule.on_train_epoch_end.__doc__ = "Called when a training epoch has ended."


def told_differently():
    """What Lightning tells the log, such as which devices it uses, is in other words."""
    told = part("utilities.rank_zero").rank_zero_info

    def tell(message, *args, **kwargs):
        tell_that_it_was_reached("rank_zero_info")
        told(f"(i) {message}", *args, **kwargs)

    for name, module in list(sys.modules.items()):
        if name.startswith(f"{NAME}.") and getattr(module, "rank_zero_info", None) is told:
            module.rank_zero_info = tell


def private_helper_renamed():
    """A private method of the collection of results has another name, and answers to the old one."""
    collection = results()._ResultCollection
    collection._size_of_batch = collection._extract_batch_size
