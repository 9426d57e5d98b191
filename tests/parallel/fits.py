"""A small training with validation, the same to the last bit in every process; run in a folder of its own.

Validated by Lightning's own loop (`sequential`), by `ParallelValidation` (`ours`), or as document 003 does
(`document`).
"""

import multiprocessing
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch._dynamo  # this and the next are imported by the first optimizer and by 1.9's Trainer: for seconds,
import torch._inductor  # in every fork
from documented import DocumentedValidation
from mishaps import BATCH, ENDS, FORKED, HAPPENED, IDLE, LOGGING, SENDING, STARTING, TRAINING, Mishap, Mishaps, Pipe
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MeanMetric

from harness.frameworks.lightning_package import pl
from harness.parallel import ParallelValidation
from harness.parallel.channel import Channel
from harness.parallel.supervisor import Supervisor
from harness.parallel.weights import digest, tensors_of

TRAIN_BATCHES, VALIDATION_BATCHES = 3, 3
GATE, BEGUN = "gate", "begun"
BIG = 8 << 20

Tell = Callable[..., None]


@dataclass(frozen=True)
class Fit:
    """What is run.

    Attributes:
        options: of ParallelValidation.
        trainer: arguments of the Trainer.
        loader_workers: processes of the validation loader, which persist.
        big: validation brings figures of 8 MiB.
        gated: a validation begins only once the gate has been opened: by the end of the last epoch (`end`), or by the
            first wait of training for a worker (`wait`); the first epoch ends when its validation has come to the gate.
    """

    kind: str
    epochs: int = 4
    options: Mapping[str, Any] = field(default_factory=dict)
    trainer: Mapping[str, Any] = field(default_factory=dict)
    mishaps: Sequence[Mishap] = ()
    loader_workers: int = 0
    big: bool = False
    gated: str = ""

    @property
    def reference(self) -> "Fit":
        """What it is compared to: the same training, as far as it goes."""
        ends = [mishap for mishap in self.mishaps if mishap.what in ENDS]
        return Fit("sequential", self.epochs, trainer=self.trainer, mishaps=ends, big=self.big)


class Module(pl.LightningModule):
    """Draws numbers in training, has buffers, and a torchmetrics object; its temperature changes as it is trained."""

    def __init__(self, fit: Fit, mishaps: Mishaps) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 64), torch.nn.BatchNorm1d(64), torch.nn.Dropout(), torch.nn.Linear(64, 1)
        )
        self.mean = MeanMetric()
        self.temperature = 1.0
        self.fit = fit
        self.mishaps = mishaps

    def on_train_start(self):
        self.trainer.callbacks.sort(key=lambda callback: not isinstance(callback, Telling))

    def on_train_epoch_end(self):
        if self.fit.gated and self.current_epoch == 0:
            Pipe(BEGUN).take()
        if self.fit.gated == "end" and self.current_epoch == self.fit.epochs - 1:
            open_gate()

    def training_step(self, batch, batch_idx):
        self.mishaps.at(TRAINING, self.current_epoch, batch_idx, self.trainer)
        self.temperature = 1.0 + self.current_epoch
        loss = (self.layers(batch[0]) - 1).square().mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        if self.fit.gated and batch_idx == 0:
            Pipe(BEGUN).put()
            Pipe(GATE).take()
        self.mishaps.at(BATCH, self.current_epoch, batch_idx)
        loss = self.layers(batch[0]).abs().mean() / self.temperature
        self.mean(loss)
        self.log("val_loss", loss)
        self.log("val_mean", self.mean)
        for number in range(8 if self.fit.big else 0):
            self.log(f"val_{number}{'_' * (BIG // 8)}", loss)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class Telling(pl.Callback):
    """Tells the weights after every epoch, before any other callback."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def on_train_epoch_end(self, trainer, pl_module):
        self._tell("trained", trainer.current_epoch, digest(tensors_of(pl_module)))


def open_gate() -> None:
    """For all that come."""
    Pipe(GATE).put(100)


class TellingLogger(pl.loggers.logger.Logger):
    name = version = None

    def __init__(self, tell: Tell, mishaps: Mishaps) -> None:
        super().__init__()
        self._tell, self._mishaps = tell, mishaps

    @property
    def experiment(self):
        return None

    def log_hyperparams(self, *_, **__):
        pass

    def log_metrics(self, metrics, step=None):
        if "val_loss" in metrics:
            self._mishaps.at(LOGGING, metrics["epoch"])
        self._tell("logged", {name.rstrip("_"): float(value) for name, value in metrics.items()}, step)


@dataclass
class Loaders:
    """Of the validation; leaves the global random generator alone."""

    fit: Fit
    mishaps: Mishaps
    isolated: bool = False

    def __call__(self) -> Any:
        if not self.isolated:
            self.mishaps.at(STARTING)
        generator = torch.Generator() if self.isolated else None
        workers = self.fit.loader_workers
        return DataLoader(
            _data(VALIDATION_BATCHES), batch_size=4, generator=generator, num_workers=workers,
            persistent_workers=workers > 0,
        )  # fmt: skip


def _data(batches: int) -> TensorDataset:
    return TensorDataset(torch.randn(4 * batches, 4, generator=torch.Generator().manual_seed(batches)))


def run(fit: Fit, tell: Tell) -> None:
    """Train and validate. Tells `trained` with an epoch and a digest, `logged` with figures and a step, and, however
    it ends, `outcomes` and `deaths`."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pipes = [Pipe(name, new=True) for name in (GATE, BEGUN, HAPPENED)]  # tokens last as long as these
    mishaps = Mishaps(fit.mishaps)
    module = Module(fit, mishaps)
    loaders = Loaders(fit, mishaps)
    beside: Any = None
    validation_loader: Any = Loaders(fit, mishaps, isolated=True)()
    if fit.kind == "ours":
        _plant(mishaps)
        multiprocessing.set_forkserver_preload(["fits"])
        _open_on_wait(fit)
        beside = ParallelValidation(loaders=loaders, **fit.options)
    elif fit.kind == "document":
        beside = DocumentedValidation(loaders, mishaps, fit.big)
        validation_loader = None
    trainer = pl.Trainer(**{
        "max_epochs": fit.epochs, "callbacks": [Telling(tell), *filter(None, [beside])], "accelerator": "cpu",
        "devices": 1, "logger": TellingLogger(tell, mishaps), "log_every_n_steps": 1, "enable_progress_bar": False,
        "enable_model_summary": False, "enable_checkpointing": False, "num_sanity_val_steps": 0, **fit.trainer,
    })  # fmt: skip
    try:
        trainer.fit(module, DataLoader(_data(TRAIN_BATCHES), batch_size=4, shuffle=True), validation_loader)
    finally:
        del pipes
        if beside is not None:
            tell("outcomes", [_told(outcome) for outcome in beside.outcomes])
            tell("deaths", [[death.pid, death.how, death.noticed] for death in getattr(beside, "deaths", [])])


def _told(outcome: Any) -> dict[str, Any]:
    metrics = {name.rstrip("_"): value for name, value in outcome.metrics.items()}
    return {**vars(outcome), "metrics": metrics}


def _plant(mishaps: Mishaps) -> None:
    """In the workers that are forked from now on."""
    training = os.getpid()
    send, receive = Channel.send, Channel.receive

    def sending(channel: Channel, message: Any) -> None:
        if os.getpid() != training and message[0] == "done" and mishaps.is_due(SENDING):
            channel._socket = _Cut(channel._socket, mishaps)
        send(channel, message)

    def receiving(channel: Channel) -> Any:
        if os.getpid() != training:
            mishaps.at(IDLE)
        return receive(channel)

    fork = os.fork

    def forking() -> int:
        if child := fork():
            mishaps.at(FORKED)
        return child

    os.fork = forking
    Channel.send, Channel.receive = sending, receiving  # type: ignore[method-assign]


class _Cut:
    """A socket to which half of what is sent is written before a mishap."""

    def __init__(self, end: Any, mishaps: Mishaps) -> None:
        self._end, self._mishaps = end, mishaps

    def sendall(self, data: bytes) -> None:
        self._end.sendall(data[: len(data) // 2])
        self._mishaps.at(SENDING)
        self._end.sendall(data[len(data) // 2 :])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)


def _open_on_wait(fit: Fit) -> None:
    if fit.gated != "wait":
        return
    wait = Supervisor.wait

    def waiting(supervisor: Supervisor, *arguments: Any) -> bool:
        open_gate()
        return wait(supervisor, *arguments)

    Supervisor.wait = waiting  # type: ignore[method-assign]
