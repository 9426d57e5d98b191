"""EarlyStopping and ModelCheckpoint decide late what they decide in time when validation is sequential."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.frameworks.lightning_package import pl
from harness.parallel import ParallelValidation
from tests.parallel.comparing import Module, Trained, train, train_loader, val_loader

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]
EPOCHS = 10
CHECKPOINTS: dict[str, dict[str, Any]] = {
    "best": {"monitor": "val_loss"},
    "best three and last": {"monitor": "val_acc", "mode": "max", "save_top_k": 3, "save_last": True},
    "named by figures": {"monitor": "val_loss", "save_top_k": 2, "filename": "{epoch}-{step}-{val_loss:.3f}"},
    "by a figure of training": {"monitor": "train_loss_epoch", "save_top_k": 2},
    "weights only": {"monitor": "val_loss", "save_weights_only": True},
    "after validation": {"monitor": "val_loss", "save_on_train_epoch_end": False},
    "all of them": {"save_top_k": -1, "filename": "{epoch}-{val_loss:.3f}"},
    "by a step's figure": {"monitor": "train_loss_step", "save_top_k": 2, "save_on_train_epoch_end": False},
    "the last only": {"save_top_k": 0, "save_last": True},
    "every third": {"monitor": "val_loss", "every_n_epochs": 3},
}


def both(callbacks: Any, tmp_path: Path, **how: Any) -> tuple[Trained, Trained, ParallelValidation]:
    validation = ParallelValidation()
    how = {"max_epochs": EPOCHS, "enable_checkpointing": True, **how}
    sequential = train(callbacks=callbacks(tmp_path / "sequential"), **how)
    parallel = train(callbacks=[validation, *callbacks(tmp_path / "parallel")], **how)
    return sequential, parallel, validation


def difference(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two checkpoints differ; in which folder they were kept is no difference."""
    if isinstance(one, dict) and isinstance(other, dict):
        named = {_plain(key): value for key, value in other.items()}
        return [
            place
            for key, value in one.items()
            for place in difference(value, named.pop(_plain(key), None), f"{path}/{_plain(key)}")
        ] + [f"{path}/{key}" for key in named]
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        return [place for pair in zip(one, other, strict=True) for place in difference(*pair, path)]
    if torch.is_tensor(one) and torch.is_tensor(other):
        return [] if torch.equal(one, other) else [path]
    return [] if _plain(one) == _plain(other) else [f"{path}: {one!r}, {other!r}"]


def _plain(value: Any) -> str:
    return str(value).replace("/sequential", "").replace("/parallel", "")


@pytest.mark.parametrize("options", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_checkpoints_are_those_of_sequential_validation(options: Any, tmp_path: Path) -> None:
    sequential, parallel, _ = both(lambda folder: [pl.callbacks.ModelCheckpoint(str(folder), **options)], tmp_path)

    one, other = sequential.trainer.checkpoint_callback, parallel.trainer.checkpoint_callback
    names = sorted(os.listdir(one.dirpath))
    assert sorted(os.listdir(other.dirpath)) == names
    assert difference(one.state_dict(), other.state_dict()) == []
    for name in names:
        kept, late = (torch.load(Path(each.dirpath, name), weights_only=False) for each in (one, other))
        # Where the loop over validation batches is belongs to the process that runs it; and what sequential training
        # saves before its epoch is over is late saved as of its end.
        elsewhere = "/loops" if options.get("save_on_train_epoch_end") is False else "val_loop"
        assert [place for place in difference(kept, late) if elsewhere not in place] == []


def test_training_goes_on_from_a_checkpoint_as_after_sequential_validation(tmp_path: Path) -> None:
    def callbacks(folder: Path) -> list[Any]:
        return [
            pl.callbacks.EarlyStopping("val_loss", patience=2, min_delta=0.05),
            pl.callbacks.ModelCheckpoint(str(folder), filename="{epoch}", save_top_k=-1),
        ]

    def go_on(trainer: Any, module: Any) -> None:
        checkpoint = tmp_path / ("parallel" if trainer.callbacks[0].__class__ is ParallelValidation else "sequential")
        trainer.fit(module, train_loader(), val_loader(), ckpt_path=str(checkpoint / "epoch=1.ckpt"))

    both(callbacks, tmp_path, max_epochs=3)
    sequential, parallel, validation = both(callbacks, tmp_path, fit=go_on)

    stopping = [
        next(each for each in it.trainer.callbacks if hasattr(each, "patience")) for it in (sequential, parallel)
    ]
    assert stopping[0].state_dict() == stopping[1].state_dict()
    assert parallel.logger.of_validation()[: len(sequential.logger.of_validation())] == (
        sequential.logger.of_validation()
    )
    assert validation.outcomes[0].epoch == 2


class Worsens(Module):
    """Its figure falls until epoch 3, and rises from then on."""

    def on_validation_epoch_end(self) -> None:
        self.log("val_made", abs(self.current_epoch - 3.0))


@pytest.mark.parametrize("min_epochs", [None, 7])
def test_training_stops_late_and_says_by_how_much(min_epochs: Any, tmp_path: Path, caplog: Any) -> None:
    def callbacks(folder: Path) -> list[Any]:
        return [
            pl.callbacks.EarlyStopping("val_made", patience=1),
            pl.callbacks.ModelCheckpoint(
                str(folder), monitor="val_made", save_top_k=2, filename="{epoch}", save_last=True
            ),
        ]

    sequential, parallel, validation = both(callbacks, tmp_path, module=Worsens, min_epochs=min_epochs)

    stopped, late = (
        next(each for each in it.trainer.callbacks if isinstance(each, pl.callbacks.EarlyStopping))
        for it in (sequential, parallel)
    )
    assert late.stopped_epoch == stopped.stopped_epoch
    assert late.state_dict() == stopped.state_dict()
    assert sorted(os.listdir(tmp_path / "parallel")) == sorted(os.listdir(tmp_path / "sequential"))
    trained = len(sequential.logger.of_validation())
    assert [outcome.status for outcome in validation.outcomes[:trained]] == ["ok"] * trained
    assert parallel.trainer.current_epoch >= sequential.trainer.current_epoch
    last = [torch.load(tmp_path / way / "last.ckpt", weights_only=False) for way in ("sequential", "parallel")]
    assert last[0]["global_step"] == last[1]["global_step"]
    beyond = parallel.trainer.current_epoch - sequential.trainer.current_epoch
    assert f"was to stop after epoch {stopped.stopped_epoch}, and went on for {beyond} more" in caplog.text
    # Whatever was trained beyond has its status too.
    assert [outcome.epoch for outcome in validation.outcomes] == list(range(parallel.trainer.current_epoch))


def test_who_looks_for_a_figure_is_not_told_of_an_epoch_without_one(tmp_path: Path) -> None:
    def missing(trainer: Any, module: Any) -> dict[str, torch.Tensor]:
        if trainer.current_epoch == 1:
            return {name: value * float("nan") for name, value in tensors(module).items()}
        return tensors(module)

    def tensors(module: Any) -> dict[str, torch.Tensor]:
        return {**dict(module.named_parameters()), **dict(module.named_buffers())}

    best = pl.callbacks.ModelCheckpoint(tmp_path, monitor="val_loss", save_top_k=-1, filename="{epoch}")
    stopping = pl.callbacks.EarlyStopping("val_loss", patience=1, min_delta=-10)
    validation = ParallelValidation(weights=missing, on_failure="continue")

    with pytest.warns(RuntimeWarning, match="validation of epoch 1 failed: (.|\n)*not a number"):
        train(RefusesNan, [validation, best, stopping], max_epochs=4, enable_checkpointing=True)

    assert [outcome.status for outcome in validation.outcomes] == ["ok", "failed", "ok", "ok"]
    assert sorted(os.listdir(tmp_path)) == ["epoch=0.ckpt", "epoch=2.ckpt", "epoch=3.ckpt"]
    assert stopping.wait_count == 0


class RefusesNan(Module):
    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        if self(batch[0]).isnan().any():
            raise ValueError("not a number")
        super().validation_step(batch, batch_idx)


class Settles(pl.Callback):
    """Has whoever hands in an epoch go on when its validation is known: as late as a busy machine may."""

    def __init__(self, validation: ParallelValidation) -> None:
        self.validation = validation

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch > 0:
            return
        supervisor = self.validation._running.supervisor
        hand_in = supervisor.hand_in

        def wait(ticket: Any) -> None:
            hand_in(ticket)
            assert supervisor.wait(lambda: bool(ticket.status))

        supervisor.hand_in = wait


def test_an_outcome_that_is_there_at_once_is_told_of_a_whole_epoch(tmp_path: Path) -> None:
    validation = ParallelValidation()
    best = pl.callbacks.ModelCheckpoint(str(tmp_path), monitor="train_loss_epoch", save_top_k=-1, filename="{epoch}")

    train(callbacks=[validation, Settles(validation), best], enable_checkpointing=True)

    assert len(best.best_k_models) == 4
