"""One durable record for every completed epoch of a Lightning training, and a checkpoint to resume from."""

import math
import os
import warnings
from pathlib import Path
from typing import Any

from harness.frameworks.lightning_package import pl
from harness.records.durable import DamagedRecords, EpochFile, replacing, unfinished

# How many batches a `CombinedLoader` of such a mode gives, of loaders that have so many each.
SIDE_BY_SIDE = {"max_size_cycle": max, "max_size": max, "min_size": min}


class EpochRecords(pl.callbacks.Checkpoint):  # type: ignore[misc,name-defined]
    """Records every completed epoch exactly once, and saves a checkpoint that training resumes from::

        records = EpochRecords("epochs.jsonl", checkpoint="last.ckpt")
        trainer = Trainer(max_epochs=100, callbacks=[records])
        trainer.fit(module, loader, ckpt_path=records.resume_from())

    Run the same script again after it was killed, at whatever moment, and it goes on with the first epoch that the
    checkpoint does not have. `records.file.read()` gives the records: dictionaries of `epoch`, `global_step`,
    `metrics`, what this epoch has brought to `trainer.callback_metrics`, as floats, and `resumed`, whether that is of a
    part of the epoch only.

    *Complete* is an epoch of which all batches ran, `trainer.num_training_batches` of them, and all of each
    validation that came with them. So one that is cut short by an exception, Ctrl-C, SIGTERM, `max_time`, `max_steps`,
    `trainer.should_stop`, a hook that returns -1 or a loader that yields less than its length is not, and gets no
    record and no checkpoint. A loader without a length is complete when it ends by itself: that it ran dry too early
    cannot be known.

    *Exactly once:* the record is on disk before any checkpoint of the epoch's end is, this callback's or another's, so
    what the checkpoint has is recorded. When training starts, records of the epochs that are about to be run are
    removed: all of them, if no checkpoint is given to `fit`.

    *Durable:* record and checkpoint are replaced atomically and flushed to disk. Lightning's own checkpoints are not:
    up to 2.3 it writes them in place, so that a kill leaves half a file under the name to resume from; from 2.4 on it
    writes a file in `$TMPDIR` and moves it, which is a copy if that is another file system, flushes nothing, and leaves
    the file there if it is killed (also when it is this callback that saves).

    *No exception is hidden:* nothing is done when training fails. If the record or the checkpoint cannot be written,
    `fit` raises that OSError; what was on disk before stays.

    Notes:
        - Lightning 1.9 calls callbacks before the module's own `on_train_epoch_end`; what that logs is not
          recorded. Log in `training_epoch_end` there. From 2.0 on it is.
        - Lightning steps a ReduceLROnPlateau at the end of an epoch after the checkpoint is saved; a resumed training
          lacks that step. Other schedulers are not affected.
        - Resume from this callback's checkpoint. From one that something else saved within an epoch, Lightning goes
          on with figures of the rest of the epoch only: its record says `resumed`. It may also call no epoch end, or
          one without batches (docs/reliable_epoch_end.md): then there is no record, and the next start warns.
        - Several processes: process 0 writes; the folder must be one that all of them see.
        - It stands where a ModelCheckpoint does: Lightning adds none of its own, and
          `enable_checkpointing=False` is refused.
    """

    def __init__(self, path: str | os.PathLike[str], checkpoint: str | os.PathLike[str] | None = None) -> None:
        """Records go to `path`; `checkpoint` is replaced after every completed epoch, or None to save none."""
        super().__init__()
        self.file = EpochFile(path)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self._progress = _nothing_ran(-1)
        self._recorded = -1
        self._validated: dict[int, int] = {}
        self._earlier: dict[str, Any] = {}

    def resume_from(self) -> str | None:
        """What to give to `fit` as `ckpt_path`: the checkpoint, or None if there is none yet."""
        return str(self.checkpoint) if self.checkpoint is not None and self.checkpoint.exists() else None

    def state_dict(self) -> dict[str, Any]:
        return self._progress

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._progress = {**state_dict, "resumed": True}

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._progress, self._recorded, self._earlier = _nothing_ran(-1), -1, {}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.is_global_zero:
            self.file.start_at(trainer.current_epoch)
            if self.checkpoint is not None:
                unfinished(self.checkpoint).unlink(missing_ok=True)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._earlier = dict(trainer.callback_metrics)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        # Not at the start of an epoch: that hook comes again when an epoch is resumed, up to 2.4.
        if self._progress["epoch"] != trainer.current_epoch:
            self._progress = {**_nothing_ran(trainer.current_epoch), "resumed": batch_idx > 0}
        self._progress.update(ran=batch_idx + 1, ended_by_itself=bool(trainer.is_last_batch))

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        self._validated = {}

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        # Not at the end of validation, where another callback may have saved a checkpoint already.
        self._validated[dataloader_idx] = batch_idx + 1
        if not trainer.sanity_checking and sum(self._validated.values()) == _batches_to_validate(trainer):
            self._progress["validations"] += 1

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.sanity_checking and _batches_to_validate(trainer) == math.inf:
            self._progress["validations"] += 1

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if self._complete(trainer):
            self._record(trainer)
            if self.checkpoint is not None:
                self._save(trainer, self.checkpoint)

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Whoever saves at the end of an epoch: the record comes first."""
        epochs = trainer.fit_loop.epoch_progress.current
        ends = epochs.processed > epochs.completed
        if ends and self._recorded != trainer.current_epoch and self._complete(trainer):
            try:
                self._record(trainer)
            except (OSError, DamagedRecords) as error:
                if not trainer.interrupted:
                    raise
                # Lightning is about to raise what ended the training, and this would take its place.
                warnings.warn(f"epoch {trainer.current_epoch} is not recorded: {error}", stacklevel=2)

    def _complete(self, trainer: Any) -> bool:
        progress = self._progress
        planned = trainer.num_training_batches
        ran = progress["ended_by_itself"] if planned == math.inf else progress["ran"] >= planned
        return bool(progress["epoch"] == trainer.current_epoch and ran and progress["validations"] >= _due(trainer))

    def _record(self, trainer: Any) -> None:
        # Asked for on every process: Lightning reduces over them. It keeps figures of earlier epochs until there are
        # new ones, of the same name and in another tensor.
        metrics = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if value is not self._earlier.get(name)
        }
        if trainer.is_global_zero:
            self.file.put(
                {
                    "epoch": trainer.current_epoch,
                    "global_step": trainer.global_step,
                    "resumed": self._progress["resumed"],
                    "metrics": metrics,
                }
            )
        self._recorded = trainer.current_epoch

    def _save(self, trainer: Any, checkpoint: Path) -> None:
        if not trainer.is_global_zero:
            trainer.save_checkpoint(unfinished(checkpoint))
            return
        with replacing(checkpoint) as path:
            trainer.save_checkpoint(path)


def _nothing_ran(epoch: int) -> dict[str, Any]:
    """How far an epoch has come; goes into checkpoints, because training may be resumed in its midst."""
    return {"epoch": epoch, "resumed": False, "ran": 0, "ended_by_itself": False, "validations": 0}


def _batches_to_validate(trainer: Any) -> float:
    """In one pass over all loaders: one after the other, or, in a `CombinedLoader` of another mode, side by side."""
    loader = getattr(trainer.fit_loop.epoch_loop.val_loop, "_combined_loader", None)  # Lightning 2
    batches: list[float] = trainer.num_val_batches
    side_by_side = SIDE_BY_SIDE.get(getattr(loader, "_mode", ""))
    return side_by_side(batches) if side_by_side and batches else sum(batches)


def _due(trainer: Any) -> int:
    """How often this epoch is to be validated; 0 where Lightning does not go by epochs."""
    every, after = trainer.check_val_every_n_epoch, trainer.val_check_batch
    if not trainer.enable_validation or every is None or after is None or not _batches_to_validate(trainer):
        return 0
    if (trainer.current_epoch + 1) % every:
        return 0
    if after == math.inf:
        return 1
    return 0 if trainer.num_training_batches == math.inf else int(trainer.num_training_batches // after)
