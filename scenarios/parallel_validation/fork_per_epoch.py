"""A process for every epoch, by fork: it begins with all that training has, and nothing is pickled.

But for threads: where torch computes on more than one, as by default, the forked process waits for them forever.
Trials have one.
"""

from harness import Expect
from scenarios.parallel_validation.document import mean_loss
from scenarios.parallel_validation.network import FIGURES, declare
from scenarios.parallel_validation.process_per_epoch import ProcessPerEpoch


def script(fit):
    fit.trainer(callbacks=[ProcessPerEpoch(fit, "fork")]).fit(fit.module, fit.train_loader())


def averaged_by_hand(fit):
    callback = ProcessPerEpoch(fit, "fork", figures_of=document_figures)
    fit.trainer(callbacks=[callback]).fit(fit.module, fit.train_loader())


def document_figures(module, loader):
    return {"val_loss": mean_loss(module, loader), "val_acc": 0}


declare("fork_per_epoch", "recommended", script)
# The mean of the loss is right, and added up in float64, hence not to the last bit what Lightning has in float32.
declare(
    "fork_per_epoch", "control", averaged_by_hand, aggregates=FIGURES[:2],
    expects=[
        Expect("wrong", "val_acc", "aggregate"),
        Expect("ok", "weights", "same_as"),
        Expect("violated", checker="same_as"),
    ],
)  # fmt: skip
