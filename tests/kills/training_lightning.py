"""A small training in Lightning, the same to the last bit in every process; run in a folder of its own."""

import os
import shutil
import warnings
from collections.abc import Callable
from typing import Any

import planted_lightning
import torch
import torch._dynamo  # this and the next are imported by the first optimizer and by 1.9's Trainer: for seconds,
import torch._inductor  # in every fork
from reading import appended_lines, written_records

from harness.frameworks.lightning_package import pl
from harness.records.lightning import EpochRecords

EPOCHS, TRAIN_BATCHES, VALIDATION_BATCHES = 3, 3, 2
RECORDS, CHECKPOINT, LOG = "epochs.jsonl", "last.ckpt", "training_log.txt"

Tell = Callable[..., None]


class Module(pl.LightningModule):
    """Tells `begin` when the first batch of an epoch starts to train, and `complete` when its last one was
    validated; what the callbacks do is not asked."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 256)  # a checkpoint of several pages
        self.tell = tell

    def training_step(self, batch, batch_idx):
        if batch_idx == 0:
            self.tell("begin", self.current_epoch)
        loss = self.layer(batch[0]).square().mean()
        self.log("train_loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.layer(batch[0]).square().mean())
        if batch_idx == VALIDATION_BATCHES - 1:
            self.tell("complete", self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


def ticking(tick: Callable[[], None]) -> Any:
    """A callback to which the hooks are events."""

    def called(*_: Any, **__: Any) -> None:
        tick()

    hooks = (
        *("setup", "on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_train_batch_end"),
        *("on_validation_start", "on_validation_batch_end", "on_validation_end"),
        *("on_save_checkpoint", "on_train_epoch_end", "on_train_end"),
    )
    return type("Ticking", (pl.Callback,), dict.fromkeys(hooks, called))()


class AppendsALine(pl.Callback):
    """Document 004's callback in Lightning: at the end of an epoch, append a line to the log."""

    def on_train_epoch_end(self, trainer, pl_module):
        with open(LOG, "a") as log:
            log.write(f"Epoch {trainer.current_epoch + 1} end, loss: {trainer.callback_metrics['train_loss']}\n")


def train(kind: str, tick: Callable[[], None], tell: Tell) -> None:
    """Train to the end, from the checkpoint if there is one, with the callbacks of this kind."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = Module(tell)
    train_loader, validation_loader = (
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(2 * batches, 4)), batch_size=2)
        for batches in (TRAIN_BATCHES, VALIDATION_BATCHES)
    )
    callbacks, checkpoint = _callbacks(kind)
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        callbacks=[ticking(tick), *callbacks],
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, train_loader, validation_loader, ckpt_path=checkpoint)


def _callbacks(kind: str) -> tuple[list[Any], str | None]:
    if kind == "as_documented":
        saved = os.path.join("checkpoints", CHECKPOINT)
        callbacks = [AppendsALine(), pl.callbacks.ModelCheckpoint(dirpath="checkpoints", save_last=True)]
        return callbacks, saved if os.path.exists(saved) else None
    made = EpochRecords if kind == "reliable" else getattr(planted_lightning, kind)
    records = made(RECORDS, checkpoint=CHECKPOINT)
    return [records], records.resume_from()


def recorded(kind: str) -> list[tuple[int, dict[str, Any]]]:
    """The epochs that the file holds, in its order, with their figures.

    Raises:
        ValueError: the file is damaged.
    """
    if kind == "as_documented":
        return appended_lines(LOG)
    return written_records(RECORDS)


def epochs_done(kind: str) -> int:
    """How many epochs the checkpoint calls complete: what a training that resumes will not run; raises what loading
    it raises."""
    checkpoint = os.path.join("checkpoints", CHECKPOINT) if kind == "as_documented" else CHECKPOINT
    if not os.path.exists(checkpoint):
        return 0
    loops = torch.load(checkpoint, weights_only=False)["loops"]
    return int(loops["fit_loop"]["epoch_progress"]["current"]["processed"])


def start_over(tell: Tell) -> None:
    """What one does when training cannot be resumed; a log that others append to is kept."""
    shutil.rmtree("checkpoints", ignore_errors=True)
    for path in (CHECKPOINT, RECORDS):
        if os.path.exists(path):
            os.remove(path)
