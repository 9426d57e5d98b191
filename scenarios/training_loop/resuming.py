"""Training that goes on from a checkpoint, in another module and another Trainer."""

from dataclasses import replace

from harness.frameworks.lightning_package import pl
from harness.oracle.predictions import weighted_by_batch_size
from scenarios.strategies.figures import RESUMED, figures
from scenarios.training_loop.logged import declare


def at_epoch_end(fit):
    def callbacks():
        return [pl.callbacks.ModelCheckpoint("checkpoints", save_last=True)]

    first = fit.trainer(callbacks(), max_epochs=2, enable_checkpointing=True)
    first.fit(fit.module, fit.train_loader(), fit.val_loader())
    second = fit.trainer(callbacks(), max_epochs=3, enable_checkpointing=True)
    second.fit(fit.another_module(), fit.train_loader(), fit.val_loader(), ckpt_path="checkpoints/last.ckpt")


def saved_by_hand(fit):
    first = fit.trainer(max_epochs=2)
    first.fit(fit.module, fit.train_loader(), fit.val_loader())
    first.save_checkpoint("by_hand.ckpt")
    second = fit.trainer(max_epochs=3)
    second.fit(fit.another_module(), fit.train_loader(), fit.val_loader(), ckpt_path="by_hand.ckpt")


declare("resume_at_epoch_end", fit=at_epoch_end, workloads="short/digits")
declare("resume_saved_by_hand", fit=saved_by_hand, workloads="short/digits")
# The workload cuts training off after a batch, where a checkpoint is saved, and goes on from there.
declare(
    "resume_mid_epoch", workloads="short/resumed", aggregates=figures(loss=weighted_by_batch_size),
    expects=[replace(each, workload="*") for each in RESUMED],
)  # fmt: skip
