"""Every hook that Lightning has had from 1.9 to 2.6, of a module and of a callback, each doing what it does anyway.

Whatever is moved, doubled or left out is seen, in training that accumulates gradients, clips them, validates on two
loaders and is resumed; and in what comes after it.
"""

import torch

from harness import Aggregate, Expect
from harness.frameworks.lightning_package import pl
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import cross_entropy
from scenarios.training_loop.logged import TRAIN_LOSS, Logged, declare

STAGES = ("train", "validation", "test", "predict")
OF_BOTH = [
    "setup", "on_fit_start", *(f"on_{stage}_start" for stage in STAGES),
    *(f"on_{stage}_{part}_{side}" for stage in STAGES for part in ("epoch", "batch") for side in ("start", "end")),
    *(f"on_{stage}_end" for stage in STAGES), "on_fit_end", "teardown", "on_before_backward", "on_after_backward",
    "on_before_optimizer_step", "on_before_zero_grad", "on_save_checkpoint", "on_load_checkpoint",
]  # fmt: skip
OF_MODULES = [
    "prepare_data", "configure_callbacks", "configure_gradient_clipping", "backward", "optimizer_step",
    "optimizer_zero_grad", "lr_scheduler_step", "on_before_batch_transfer", "transfer_batch_to_device",
    "on_after_batch_transfer", "on_validation_model_eval", "on_validation_model_train", "on_test_model_eval",
    "on_test_model_train", "on_predict_model_eval",
]  # fmt: skip
OF_CALLBACKS = ["on_sanity_check_start", "on_sanity_check_end", "on_exception", "state_dict", "load_state_dict"]


class Stages(Logged):
    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)]

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        super().validation_step(batch, batch_idx)

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        x, y = batch
        self.log("test_loss", self.loss_fn(self(x), y))

    def predict_step(self, batch, batch_idx, dataloader_idx=0):
        x, _ = batch
        return self(x)


class Raising(Stages):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if self.current_epoch == 1 and batch_idx == 2:
            raise ValueError("as it may be")
        return loss


class Callback(pl.Callback):
    def state_dict(self):
        return {"something": "to be saved"}


def with_every_hook(kind, names):
    """A class that has hooks of its own, each of which does what it inherits."""

    def hook(name):
        return lambda self, *args, **kwargs: getattr(super(every, self), name)(*args, **kwargs)

    every = type(f"Every{kind.__name__}", (kind,), {name: hook(name) for name in names})
    return every


OfModules = with_every_hook(Stages, [*OF_BOTH, *OF_MODULES])
OfModulesThatRaise = with_every_hook(Raising, [*OF_BOTH, *OF_MODULES])
OfCallbacks = with_every_hook(Callback, [*OF_BOTH, *OF_CALLBACKS])


def trains_and_resumes(fit):
    def trainer(epochs):
        callbacks = [OfCallbacks(), pl.callbacks.ModelCheckpoint("checkpoints", save_last=True)]
        return fit.trainer(callbacks, max_epochs=epochs, enable_checkpointing=True, gradient_clip_val=0.5)

    trainer(1).fit(fit.module, fit.train_loader(), fit.val_loader())
    resumed, module = trainer(2), fit.another_module()
    resumed.fit(module, fit.train_loader(), fit.val_loader(), ckpt_path="checkpoints/last.ckpt")
    resumed.test(module, fit.test_loader(), verbose=False)
    resumed.predict(module, fit.predict_loader())


def declare_hooks(name, module, **more):
    losses = [
        Aggregate(
            f"val_loss/dataloader_idx_{loader}", of=cross_entropy, stage="validation", loader=loader,
            predicts=weighted_by_batch_size,
        )
        for loader in range(2)
    ]  # fmt: skip
    declare(name, module, workloads="short/two_loaders", aggregates=[TRAIN_LOSS, *losses], **more)


declare_hooks("hooks", OfModules, fit=trains_and_resumes)
declare_hooks(
    "hooks_exception", OfModulesThatRaise, callbacks=lambda: [OfCallbacks()], variant="control",
    expects=[Expect("raised", exception="ValueError")],
)  # fmt: skip
