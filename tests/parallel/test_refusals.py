"""What cannot be validated in parallel is told when training starts, with what to do; nothing is left running."""

import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from harness.frameworks.lightning_package import pl
from harness.parallel import ParallelValidation, ValidationFailed
from harness.parallel.refusals import CannotValidateInParallel
from tests.parallel.comparing import Module, samples, train, train_loader, val_loader

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*Skipping val loop:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*shuffling enabled:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]


class NoValidationStep(Module):
    validation_step = pl.LightningModule.validation_step


class Plateau(Module):
    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"}}


class Locked(Module):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Watches(pl.Callback):
    def on_validation_batch_end(self, *_: Any) -> None:
        pass


class Stops(pl.callbacks.EarlyStopping):
    def on_validation_epoch_end(self, *_: Any) -> None:
        pass


def locked_loader() -> Any:
    loader = val_loader()
    loader.dataset.lock = threading.Lock()
    return loader


def every_step() -> Any:
    return pl.callbacks.ModelCheckpoint(monitor="val_loss", every_n_train_steps=2)


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no validation_step": ({"module": NoValidationStep}, {}, "no validation_step: define one"),
    "no loader": ({"loaders": lambda: None}, {}, "nothing to validate: give `fit` a validation loader"),
    "no batches": ({"limit_val_batches": 0}, {}, "nothing to validate"),
    "within an epoch": ({"val_check_interval": 0.5}, {}, "only the end of an epoch.*val_check_interval=1.0"),
    "by batches": (
        {"val_check_interval": 3, "check_val_every_n_epoch": None}, {}, "only the end of an epoch.*val_check_interval",
    ),
    "after every batch": ({"val_check_interval": 1}, {}, "only the end of an epoch.*val_check_interval=1.0"),
    "least steps": (
        {"min_steps": 3, "callbacks": [pl.callbacks.EarlyStopping("val_loss")]}, {}, "min_steps=3.*use min_epochs",
    ),
    "hooks of an early stopping": ({"callbacks": [Stops("val_loss")]}, {}, "Stops has on_validation_epoch_end,"),
    "overfitting": ({"overfit_batches": 1}, {}, "overfit_batches=1 validates batches of the loader that trains"),
    "reloading": ({"reload_dataloaders_every_n_epochs": 1}, {}, "makes its loaders once: set it to 0"),
    "plateau": ({"module": Plateau}, {}, "ReduceLROnPlateau.*use a scheduler that needs none"),
    "a callback's hooks": (
        {"callbacks": [Watches()]}, {}, "Watches has on_validation_batch_end.*give it to the worker",
    ),
    "checkpoints by step": (
        {"callbacks": [every_step()], "enable_checkpointing": True}, {}, "saves within an epoch.*use every_n_epochs",
    ),
    "threads after a fork": ({}, {"start_method": "fork", "threads": 2}, "threads=2 with start_method='fork'"),
    "a module that cannot be pickled": (
        {"module": Locked}, {"start_method": "spawn"}, "cannot be pickled.*lock.*use start_method='fork'",
    ),
    "a loader that cannot be pickled": (
        {"loaders": locked_loader}, {"start_method": "forkserver"}, "cannot be pickled.*give a factory by loaders=",
    ),
    "a factory that cannot be pickled": (
        {}, {"start_method": "spawn", "loaders": lambda: val_loader()}, "cannot be pickled.*a function of a module",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("how", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_before_the_first_batch(how: Any, options: Any, message: str) -> None:
    validation, steps = ParallelValidation(**options), Steps()
    how = {**how, "callbacks": [validation, steps, *how.get("callbacks", ())]}

    with pytest.raises(CannotValidateInParallel, match=f"(?s){message}"):
        train(**how)

    assert steps.count == 0
    assert validation.worker_pids == []


def test_ranks_are_refused_in_each_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where torch leaves what each of them raised
    raises = pytest.raises(torch.multiprocessing.ProcessRaisedException, match=r"CannotValidateInParallel.*2 processes")
    with raises, mock.patch.dict(os.environ):  # to which Lightning adds its port
        train(callbacks=[ParallelValidation()], devices=2, strategy="ddp_fork")


def test_ray_is_asked_for_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "harness.parallel.ray_worker", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(CannotValidateInParallel, match=r"needs Ray \(.*\): pip install 'epoch-harness\[ray\]'"):
        train(callbacks=[ParallelValidation(start_method="ray")])


def test_a_cluster_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is an extra: pip install 'epoch-harness[ray]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", "{}:{}".format(*free.getsockname()))

        with pytest.raises(
            CannotValidateInParallel, match=r"no Ray cluster listens at RAY_ADDRESS=127\.0\.0\.1:.*unset"
        ):
            train(callbacks=[steps := Steps(), ParallelValidation(start_method="ray")])

    assert steps.count == 0


class Steps(pl.Callback):
    count = 0

    def on_train_batch_start(self, *_: Any) -> None:
        self.count += 1


@pytest.mark.parametrize("how", [{"module": Locked}, {"loaders": locked_loader}], ids=["module", "loader"])
def test_what_cannot_be_pickled_is_forked(how: Any) -> None:
    validation = ParallelValidation()

    train(callbacks=[validation], **how)

    assert {outcome.status for outcome in validation.outcomes} == {"ok"}


class Experiments(Module):
    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        self.logger.experiment.add_scalar("x", 1.0)


class Optimizes(Module):
    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        self.log("val_lr", self.trainer.optimizers[0].param_groups[0]["lr"])


class Learns(Module):
    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        self.net[0].bias.data.add_(1.0)


class Counts(Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        self.count = self.count + 1


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Experiments, "logger.experiment is in the process that trains"),
        (Optimizes, "list index out of range"),
        (Learns, "validation changed weights or buffers"),
        (Counts, "validation changed weights or buffers"),
    ],
)
def test_what_a_worker_cannot_do_ends_training(module: Any, message: str) -> None:
    with pytest.raises(ValidationFailed, match=message):
        train(module, [ParallelValidation()])


def test_workers_that_would_shuffle_differently_are_refused() -> None:
    def shuffled() -> Any:
        return torch.utils.data.DataLoader(samples(), batch_size=7, shuffle=True)

    with pytest.raises(ValidationFailed, match="use workers=1, or shuffle=False"):
        train(callbacks=[ParallelValidation(workers=2)], loaders=shuffled)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"when_slower": "wait"}, "when_slower='wait' is not one of 'block', 'skip', 'latest'"),
        ({"on_failure": ""}, "on_failure='' is not one of"),
        ({"start_method": "thread"}, "start_method='thread' is not one of"),
        ({"workers": 0}, "workers=0"),
        ({"retries": -1}, "retries=-1"),
        ({"time_limit": 0}, "time_limit=0: more than 0 seconds"),
        ({"drain_limit": -1.0}, "drain_limit=-1.0: more than 0 seconds"),
    ],
)
def test_unknown_options(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ParallelValidation(**options)


def test_loaders_of_fit_are_found_in_whichever_place() -> None:
    trained = train(callbacks=[ParallelValidation()], fit=lambda trainer, module: trainer.fit(
        module, train_dataloaders=train_loader(), val_dataloaders=[val_loader()]
    ))  # fmt: skip

    assert trained.logger.of_validation()
