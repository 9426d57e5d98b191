"""Two loaders to train on, of three batches and of two: what becomes of the third."""

import inspect

import torch

from harness import Expect
from harness.frameworks.lightning_package import pl
from scenarios.training_loop.logged import Logged, declare

IN_THE_TRAINER = "multiple_trainloader_mode"  # it is said there in Lightning 1.9


class Combined(Logged):
    """Takes the samples of both loaders for one batch, and says how many there are: Lightning would count one's."""

    def training_step(self, batch, batch_idx):
        pairs = [pair for pair in batch.values() if pair is not None]
        x, y = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        loss = self.loss_fn(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(y))
        return loss


def combined(mode):
    def script(fit):
        loaders = dict(zip("ab", fit.train_loaders(2), strict=True))
        if IN_THE_TRAINER in inspect.signature(pl.Trainer).parameters:
            trainer = fit.trainer(**{IN_THE_TRAINER: mode})
        else:
            trainer, loaders = fit.trainer(), pl.utilities.CombinedLoader(loaders, mode)
        trainer.fit(fit.module, loaders, fit.val_loader())

    return script


def declare_mode(mode, *expects, **more):
    # What a pass has is another number of batches than the workload.
    others = [Expect("violated", checker="order", aggregate="hooks and steps")]
    declare(f"combined_{mode}", Combined, fit=combined(mode), expects=[*expects, *others], **more)


OTHER_SAMPLES = Expect("violated", checker="samples", aggregate="train")

declare_mode("max_size_cycle", OTHER_SAMPLES)
declare_mode("min_size", OTHER_SAMPLES)
declare_mode("max_size", needs="pytorch_lightning>=2.0")
declare(
    "combined_sequential", Combined, "control", fit=combined("sequential"), needs="pytorch_lightning>=2.0",
    expects=[Expect("raised", exception="ValueError")],  # not in training
)  # fmt: skip
