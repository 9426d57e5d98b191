"""Runs one trial in Keras 3 on TensorFlow and writes its history."""

from typing import Any

import numpy as np

from harness.faults.injector import Injector
from harness.frameworks import keras_measuring
from harness.frameworks.keras_fit import TrialFit
from harness.frameworks.keras_package import NAME, keras, tf
from harness.history.recorder import Recorder
from harness.scenario import Scenario
from harness.workloads.workload import Workload

__all__ = ["NAME", "cuda", "measure", "run", "warm_up"]


def measure(scenario: Scenario, workload: Workload, device: str, seed: int, what: str, recorder: Recorder) -> None:
    """Train without recording and validation, and write one operation `measured`.

    Samples are handed over as arrays: Keras asks a `PyDataset` for batches in a thread that the counters would meet.

    Args:
        workload: its training batches are of one size.
        what: one of `keras_measuring.MEASURES`.
    """
    measuring = keras_measuring.MEASURES[what]()
    with measuring.meter:
        _settle(seed)
        model = scenario.module(workload.shape)
        arguments: dict[str, Any] = {"verbose": 0, "shuffle": False, **scenario.trainer}
        arguments["epochs"] = measuring.max_epochs
        arguments["callbacks"] = [*arguments.get("callbacks", ()), keras_measuring.telling(measuring)]
        batches = np.array(workload.batches("train"))
        features, targets = (array[batches.ravel()] for array in (workload.features, workload.targets))
        model.fit(features, targets, batch_size=batches.shape[1], **arguments)
    recorder.write("measured", "ok", {"network": measuring.network, **measuring.result()})


def _settle(seed: int) -> None:
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    keras.utils.set_random_seed(seed)


def run(
    scenario: Scenario,
    workload: Workload,
    device: str,
    seed: int,
    recorder: Recorder | None,
    injector: Injector | None = None,
) -> None:
    """Train the scenario's compiled model on the workload for as many epochs as its schedule plans, by its own script
    if it has one.

    Args:
        device: `cpu`; see `cuda`.
        recorder: where the history goes; None runs the same training.
        injector: of what goes wrong; None for nothing. It needs a recorder.
    """
    _settle(seed)
    fit = TrialFit(scenario, workload, recorder, injector)
    if scenario.fit:
        scenario.fit(fit)
    else:
        fit.fit(validation_data=fit.val_loader())


def cuda() -> dict[str, Any]:
    return {"available": False, "reason": "Keras scenarios run on the CPU only, so far", "device": "", "count": 0}


def warm_up() -> None:
    """Nothing: TensorFlow starts its threads with the first operation, and they do not survive a fork."""
