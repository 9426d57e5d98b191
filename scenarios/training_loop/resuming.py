"""Training that goes on, in a new process as it were: with another module and another Trainer, from a checkpoint."""

from harness.frameworks.lightning_package import pl
from scenarios.strategies.figures import RESUMED
from scenarios.training_loop.logged import declare


def at_epoch_end(fit):
    last = pl.callbacks.ModelCheckpoint("checkpoints", save_last=True)
    first = fit.trainer(callbacks=[last], max_epochs=2, enable_checkpointing=True)
    first.fit(fit.module, fit.train_loader(), fit.val_loader())
    fit.trainer(max_epochs=3).fit(
        fit.another_module(), fit.train_loader(), fit.val_loader(), ckpt_path="checkpoints/last.ckpt"
    )


def saved_by_hand(fit):
    first = fit.trainer(max_epochs=2)
    first.fit(fit.module, fit.train_loader(), fit.val_loader())
    first.save_checkpoint("by_hand.ckpt")
    fit.trainer(max_epochs=3).fit(
        fit.another_module(), fit.train_loader(), fit.val_loader(), ckpt_path="by_hand.ckpt"
    )


declare("resume_at_epoch_end", fit=at_epoch_end, workloads="short/digits")
declare("resume_saved_by_hand", fit=saved_by_hand, workloads="short/digits")
# The workload cuts training off after a batch, where a checkpoint is saved, and goes on from there.
declare("resume_mid_epoch", workloads="short/resumed", expects=RESUMED)
