"""One durable record for every completed epoch of a Keras training, and a checkpoint to resume from."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from harness.records.durable import EpochFile, replace_with, unfinished


class EpochRecords(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped here
    """Records every completed epoch exactly once, and saves a checkpoint that training resumes from::

        model.build(...)
        model.compile(...)
        records = EpochRecords("epochs.jsonl", checkpoint="last.ckpt")
        model.fit(data, epochs=100, initial_epoch=records.resume_from(model), callbacks=[..., records])

    Run the same script again after it was killed, at whatever moment, and it goes on with the first epoch that the
    checkpoint does not have. `records.file.read()` gives the records: dictionaries of `epoch` (the first is 0),
    `global_step` (the optimizer's iterations) and `metrics`, the `logs` of the epoch as floats.

    *Complete* is an epoch of which all batches ran, `steps` of them, and all of the validation that came with it. So
    one that is cut short by an exception, Ctrl-C, `model.stop_training` in mid-epoch, or data that ran dry before
    `steps_per_epoch` or `len()` is not, and gets no record and no checkpoint; Keras calls `on_epoch_end` for the last
    two all the same. Data without a length is complete when it ends by itself: that it ran dry too early cannot be
    known. With `steps_per_execution` above 1, neither can it if that happened in the last execution of an epoch.

    *Exactly once:* the record is on disk before the checkpoint is, so what the checkpoint has is recorded. When the
    first epoch starts, the records of that epoch and later ones are removed: all of them, if `initial_epoch` is 0.

    *Durable:* record and checkpoint are replaced atomically and flushed to disk. The checkpoint is one file: weights,
    state of the optimizer and of random layers, and the number of epochs done. `BackupAndRestore` of Keras 3.15 writes
    weights in place, then the epoch into a second file: a kill leaves a file that cannot be read, or the weights of
    an epoch with the number of the one before, which is then trained twice.

    *No exception is hidden:* Keras calls nothing when training fails, and nothing is done. If the record or the
    checkpoint cannot be written, `fit` raises that OSError; what was on disk before stays.

    Put it last: what a callback after it does at the end of an epoch, to the learning rate for example, is not in
    the checkpoint. State of other callbacks, and the order in which `fit` shuffles, are not either. Keras 3 on
    TensorFlow, in one process; another backend tells callbacks otherwise how data without a length ends.
    """

    async_safe = True  # so that Keras need not wait for each batch because of `on_train_batch_end`

    def __init__(self, path: str | os.PathLike[str], checkpoint: str | os.PathLike[str] | None = None) -> None:
        """Records go to `path`; `checkpoint` is replaced after every completed epoch, or None to save none."""
        super().__init__()
        self.file = EpochFile(path)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self._training, self._validation = _Pass(), _Pass()
        self._started = False

    def resume_from(self, model: Any) -> int:
        """Restore the checkpoint, if there is one, into a built and compiled model.

        Returns:
            The epoch to go on with, for `initial_epoch`; 0 if there is no checkpoint.

        Raises:
            ValueError: the checkpoint is of another model.
        """
        if self.checkpoint is None or not self.checkpoint.exists():
            return 0
        with np.load(self.checkpoint) as saved:
            for name, variables in _state(model).items():
                values = [saved[key] for key in saved if key.startswith(f"{name}.")]
                if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
                    raise ValueError(f"{self.checkpoint}: the {name} saved there is not of this model")
                for variable, value in zip(variables, values, strict=True):
                    # NumPy saves bfloat16, which it does not know, as bare bytes.
                    bare = value.dtype.kind == "V"
                    variable.assign(value.view(keras.ops.convert_to_numpy(variable).dtype) if bare else value)
            return int(saved["epochs"])

    def on_train_begin(self, logs: Any = None) -> None:
        self._started = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._training, self._validation = _Pass(), _Pass()
        if not self._started:
            self._started = True
            self.file.start_at(epoch)
            if self.checkpoint is not None:
                unfinished(self.checkpoint).unlink(missing_ok=True)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._training.begun = batch + 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._training.ended = max(self._training.ended, batch + 1)  # threads may tell out of order

    def on_test_begin(self, logs: Any = None) -> None:
        self._validation = _Pass()

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._validation.begun = batch + 1

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._validation.ended = max(self._validation.ended, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self._training.whole(self.params["steps"]):
            return
        # What `fit` plans to validate on, it tells no callback.
        validating = getattr(self.model, "_eval_epoch_iterator", None)
        if self._validation.begun and validating is not None:
            planned = validating.steps_per_epoch or validating.data_adapter.num_batches
            if not self._validation.whole(planned):
                return
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        self.file.put({"epoch": epoch, "global_step": step, "metrics": metrics})
        if self.checkpoint is not None:
            arrays = {
                f"{name}.{number}": keras.ops.convert_to_numpy(variable)
                for name, variables in _state(self.model).items()
                for number, variable in enumerate(variables)
            }
            replace_with(self.checkpoint, lambda file: np.savez(file, epochs=epoch + 1, **arrays))


class _Pass:
    """How far one pass over data has come, in batches."""

    def __init__(self) -> None:
        self.begun = self.ended = 0

    def whole(self, planned: int | None) -> bool:
        """Whether all batches ran. Keras begins one that it then finds to be missing; that is how a pass over data
        without a length ends, unless it was stopped."""
        return self.ended >= planned if planned else self.begun > self.ended


def _state(model: Any) -> dict[str, list[Any]]:
    """The variables that make training go on as if nothing had happened."""
    if not model.built or model.optimizer is None:
        raise ValueError("build and compile the model before training is resumed: it has no variables to restore into")
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return {"model": model.variables, "optimizer": model.optimizer.variables}
