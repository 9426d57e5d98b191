"""A small training in Keras, the same to the last bit in every process; run in a folder of its own."""

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import planted_keras
from reading import appended_lines, written_records

from harness.frameworks.keras_package import keras
from harness.records.keras import EpochRecords

EPOCHS, TRAIN_BATCHES, VALIDATION_BATCHES = 3, 3, 2
RECORDS, CHECKPOINT, LOG, BACKUP = "epochs.jsonl", "last.ckpt", "training_log.txt", "backup"

Tell = Callable[..., None]


class Telling(keras.callbacks.Callback):
    """Tells `begin` when the first batch of an epoch starts to train, and `complete` when its last one was
    validated; and every hook is an event."""

    def __init__(self, tick: Callable[[], None], tell: Tell) -> None:
        super().__init__()
        self.tick, self.tell = tick, tell
        self.epoch = 0

    def on_train_begin(self, logs=None):
        self.tick()

    def on_epoch_begin(self, epoch, logs=None):
        self.tick()
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        self.tick()
        if batch == 0:
            self.tell("begin", self.epoch)

    def on_train_batch_end(self, batch, logs=None):
        self.tick()

    def on_test_batch_end(self, batch, logs=None):
        self.tick()
        if batch == VALIDATION_BATCHES - 1:
            self.tell("complete", self.epoch)

    def on_epoch_end(self, epoch, logs=None):
        self.tick()

    def on_train_end(self, logs=None):
        self.tick()


class AppendsALine(keras.callbacks.Callback):
    """Document 004's callback: at the end of an epoch, append a line to the log."""

    def on_epoch_end(self, epoch, logs=None):
        with open(LOG, "a") as log:
            log.write(f"Epoch {epoch + 1} end, loss: {logs['loss']}\n")


def train(kind: str, tick: Callable[[], None], tell: Tell) -> None:
    """Train to the end, from the checkpoint if there is one, with the callbacks of this kind."""
    keras.utils.set_random_seed(0)
    inputs, targets = np.random.default_rng(0).normal(size=(2, 8, 4)).astype("float32")
    layers = [keras.layers.Dense(256), keras.layers.Dense(4)]  # a checkpoint of several pages
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), *layers])
    # Eagerly, because tracing a graph takes longer than training here.
    model.compile(optimizer="adam", loss="mse", run_eagerly=True)
    callbacks, initial_epoch = _callbacks(kind, model)
    train_samples = 2 * TRAIN_BATCHES
    model.fit(
        inputs[:train_samples],
        targets[:train_samples],
        validation_data=(inputs[: 2 * VALIDATION_BATCHES], targets[: 2 * VALIDATION_BATCHES]),
        batch_size=2,
        epochs=EPOCHS,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[Telling(tick, tell), *callbacks],
    )


def _callbacks(kind: str, model: Any) -> tuple[list[Any], int]:
    if kind == "as_documented":
        return [AppendsALine(), keras.callbacks.BackupAndRestore(BACKUP, delete_checkpoint=False)], 0
    made = EpochRecords if kind == "reliable" else getattr(planted_keras, kind)
    records = made(RECORDS, checkpoint=CHECKPOINT)
    return [records], records.resume_from(model)


def recorded(kind: str) -> list[tuple[int, dict[str, Any]]]:
    """The epochs that the file holds, in its order, with their figures.

    Raises:
        ValueError: the file is damaged.
    """
    return appended_lines(LOG) if kind == "as_documented" else written_records(RECORDS)


def epochs_done(kind: str) -> int:
    """How many epochs the checkpoint calls complete: what a training that resumes will not run; raises what loading
    it raises."""
    if kind == "as_documented":
        path = os.path.join(BACKUP, "training_metadata.json")
        if not os.path.exists(path):
            return 0
        with open(path) as file:
            return int(json.load(file)["epoch"])
    if not os.path.exists(CHECKPOINT):
        return 0
    with np.load(CHECKPOINT) as saved:
        return int(saved["epochs"])


def start_over(tell: Tell) -> None:
    """What one does when training cannot be resumed; a log that others append to is kept."""
    shutil.rmtree(BACKUP, ignore_errors=True)
    for path in (CHECKPOINT, RECORDS):
        if os.path.exists(path):
            os.remove(path)
