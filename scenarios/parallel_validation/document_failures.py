"""What else goes wrong with document 003's callback once it runs, each in a training of its own.

Processes are forked here, for speed: how they start makes no difference to it, but for the loader with a generator.
"""

import os
import signal

import torch

from harness import Expect
from harness.frameworks.lightning_package import pl
from scenarios.parallel_validation.document import ParallelValidationCallback
from scenarios.parallel_validation.network import FEWER, FIGURES, declare, without_validation_step


class WaitsForTrainingToEnd(ParallelValidationCallback):
    """Validation takes longer than training."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.results.trained = self.context.Event()

    def on_train_end(self, trainer, pl_module):
        self.results.trained.set()
        super().on_train_end(trainer, pl_module)

    @staticmethod
    def validate(new_module, state, results, val_dataloader, device):
        results.trained.wait()
        ParallelValidationCallback.validate(new_module, state, results, val_dataloader, device)


class GivesMuch(ParallelValidationCallback):
    """A mebibyte, as predictions of many samples are: more than the queue's pipe holds."""

    @staticmethod
    def validate(_new_module, _state, results, *_):
        results.put((0.0, bytes(2**20)))


class IsKilled(ParallelValidationCallback):
    """As the kernel does where memory runs out."""

    @staticmethod
    def validate(*_):
        os.kill(os.getpid(), signal.SIGKILL)


def without_logger(fit):
    callback = ParallelValidationCallback(fit, fit.val_loader(), "fork")
    fit.trainer(callbacks=[callback], logger=False).fit(fit.module, fit.train_loader())


def with_early_stopping(fit):
    callback = WaitsForTrainingToEnd(fit, fit.val_loader(), "fork")
    stopping = pl.callbacks.EarlyStopping("val_loss")
    fit.trainer(callbacks=[callback, stopping]).fit(fit.module, fit.train_loader())


def with_checkpoints(fit):
    callback = ParallelValidationCallback(fit, fit.val_loader(), "fork")
    best = pl.callbacks.ModelCheckpoint("checkpoints", monitor="val_loss", save_on_train_epoch_end=True)
    fit.trainer(callbacks=[callback, best], enable_checkpointing=True).fit(fit.module, fit.train_loader())
    torch.load(best.best_model_path)  # it warned, and saved none


def with_much_to_tell(fit):
    fit.trainer(callbacks=[GivesMuch(fit, fit.val_loader(), "fork")]).fit(fit.module, fit.train_loader())


def killed(fit):
    fit.trainer(callbacks=[IsKilled(fit, fit.val_loader(), "fork")]).fit(fit.module, fit.train_loader())


def with_a_generator(fit):
    callback = ParallelValidationCallback(fit, fit.val_loader(generator=torch.Generator()), "spawn")
    fit.trainer(callbacks=[callback]).fit(fit.module, fit.train_loader())


def declare_failure(pattern, script, *expects, **more):
    declare(pattern, "control", script, module=without_validation_step, aggregates=FIGURES[:2], expects=expects, **more)


def raises(exception):
    return Expect("raised", checker="aggregate", exception=exception)


declare_failure("no_logger", without_logger, raises("AttributeError"))
declare_failure(
    "early_stopping", with_early_stopping, raises("RuntimeError"), Expect("violated", checker="process")
)  # fmt: skip
declare_failure("checkpoint", with_checkpoints, raises("FileNotFoundError"))
declare_failure(
    "large_result", with_much_to_tell,
    Expect("unknown", checker="aggregate"), Expect("violated", checker="process"), limit_s=2,
)  # fmt: skip
declare_failure(
    "killed_process", killed,
    Expect("missing", checker="aggregate"), Expect("ok", "weights", "same_as"), Expect("violated", checker="same_as"),
)  # fmt: skip
# A generator is not pickled, or (from torch 2.4 on) its state is lost on the way, and the process dies as it starts.
declare_failure(
    "loader_with_generator", with_a_generator,
    Expect("raised", checker="aggregate", exception="TypeError", needs="torch<2.4"),
    Expect("missing", checker="aggregate"), same_as="", workloads=FEWER,
)  # fmt: skip
