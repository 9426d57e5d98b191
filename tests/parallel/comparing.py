"""The same training twice: validated one after the other, by a loader with a generator of its own, and beside it."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import Accuracy

from harness.frameworks.lightning_package import pl
from harness.parallel import ParallelValidation

EPOCHS = 4


class Module(pl.LightningModule):
    """Dropout shows any draw from the global generator, batch norm whether buffers are handed over."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(10, 20), torch.nn.BatchNorm1d(20), torch.nn.Dropout(), torch.nn.Linear(20, 3)
        )
        self.accuracy = Accuracy(task="multiclass", num_classes=3)

    def forward(self, x: Any) -> Any:
        return self.net(x)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = torch.nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        outputs = self(batch[0])
        self.accuracy(outputs, batch[1])
        self.log("val_acc", self.accuracy)
        self.log("val_loss", torch.nn.functional.cross_entropy(outputs, batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1)


def samples() -> TensorDataset:
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(60, 10, generator=draw)
    return TensorDataset(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long())


def train_loader() -> DataLoader:
    return DataLoader(samples(), batch_size=16)


def val_loader(batch: int = 7) -> DataLoader:
    return DataLoader(samples(), batch_size=batch, generator=torch.Generator())


class Logger(pl.loggers.logger.DummyLogger):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[dict[str, float], int | None]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.told.append((dict(metrics), step))

    def of_validation(self) -> list[tuple[dict[str, float], int | None]]:
        return [(metrics, step) for metrics, step in self.told if any("val" in name for name in metrics)]


@dataclass
class Trained:
    """A training that has ended."""

    trainer: Any
    module: Any
    logger: Logger
    figures: dict[str, float]
    weights: dict[str, torch.Tensor] = field(repr=False)


def train(
    module: Callable[[], Any] = Module,
    callbacks: Sequence[Any] = (),
    loaders: Callable[[], Any] = val_loader,
    fit: Callable[[Any, Any], None] | None = None,
    **arguments: Any,
) -> Trained:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # as in the worker: sums over more have other last bits
    trained, logger = module(), Logger()
    trainer = pl.Trainer(
        **{
            "max_epochs": EPOCHS, "accelerator": "cpu", "devices": 1, "logger": logger, "log_every_n_steps": 1,
            "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False,
            "callbacks": list(callbacks), **arguments,
        }
    )  # fmt: skip
    if fit is None:
        trainer.fit(trained, train_loader(), loaders())
    else:
        fit(trainer, trained)
    figures = {name: value.item() for name, value in trainer.callback_metrics.items()}
    return Trained(trainer, trained, logger, figures, copy.deepcopy(trained.state_dict()))


def assert_same(one: Trained, other: Trained) -> None:
    """To the bit: what loggers were told of validation, and at which steps; what callbacks find; the weights."""
    assert one.logger.of_validation() == other.logger.of_validation()
    assert one.figures == other.figures
    assert all(torch.equal(value, other.weights[name]) for name, value in one.weights.items() if torch.is_tensor(value))


def compare(validation: ParallelValidation | None = None, callbacks: Any = list, **how: Any) -> tuple[Trained, Trained]:
    """Train both ways, with callbacks of their own, and hold them to be the same."""
    validation = validation or ParallelValidation()
    sequential = train(callbacks=callbacks(), **how)
    parallel = train(callbacks=[validation, *callbacks()], **how)
    assert_same(sequential, parallel)
    assert parallel.logger.of_validation() or parallel.trainer.logger is not parallel.logger
    return sequential, parallel
