"""Trains every Keras scenario with and without recording, and prints what each training run did, as JSON.

Runs in a process of its own, as `recording_witness` does.
"""

import hashlib
import json
import os
import sys
import tempfile
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import keras

from harness import catalog
from harness.frameworks import keras as adapter
from harness.history.recorder import Recorder
from harness.workloads import library

WORKLOADS = ("digits/ragged", "short/diabetes")
# Of those that share a model and callbacks, one.
WITNESSED = [
    "strategies/keras_*",
    "epoch_end_reliability/basic_callback/*",
    "epoch_end_reliability/data_loading/control",
    "epoch_end_reliability/mirrored_strategy/*",
]


class Witness(keras.callbacks.Callback):
    """Notes what Keras tells callbacks."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("on_epoch_end", epoch, logs))

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(("on_train_batch_end", batch, logs))

    def on_test_batch_end(self, batch, logs=None):
        self.calls.append(("on_test_batch_end", batch, logs))


def digest(variables):
    return hashlib.sha256(b"".join(variable.numpy().tobytes() for variable in variables)).hexdigest()


def train(scenario, workload, folder, recorder):
    """In a folder of its own, where the scenario's callbacks may leave files."""
    folder.mkdir()
    os.chdir(folder)
    models, untrained, witness = [], [], Witness()

    def module(shape):
        models.append(scenario.module(shape))
        untrained.append(digest(models[0].trainable_variables))
        return models[0]

    watched = replace(scenario, module=module, trainer={**scenario.trainer, "callbacks": [witness]})
    adapter.run(watched, workload, "cpu", 0, recorder)
    return {
        "calls": witness.calls,
        "untrained": untrained[0],
        "weights": digest(models[0].trainable_variables),
        "optimizer": digest(models[0].optimizer.variables),
        "random": keras.random.uniform(()).numpy().item(),
        "files": {
            str(path.relative_to(folder)): path.read_text() if path.suffix == ".log" else ""
            for path in sorted(folder.rglob("*.*"))
        },
    }


def main():
    witnessed = {}
    with tempfile.TemporaryDirectory() as name:
        # Two replicas need two devices, and TensorFlow must hear of them before it runs anything.
        for scenario in sorted(catalog.find().select(WITNESSED), key=lambda scenario: -scenario.ranks):
            fitting = [name for name in WORKLOADS if any(fnmatchcase(name, glob) for glob in scenario.workloads)]
            workload = library.build(fitting[0], 0)
            folder = Path(name, scenario.id.replace("/", "."))
            folder.mkdir()
            history = folder / "history"
            witnessed[scenario.id] = {
                "plain": train(scenario, workload, folder / "plain", None),
                "recorded": train(scenario, workload, folder / "recorded", Recorder(history)),
                "history": history.read_text(),
            }
        os.chdir("/")
    json.dump(witnessed, sys.stdout)


if __name__ == "__main__":
    main()
