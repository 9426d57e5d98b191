"""Runs one trial in Keras 3 on TensorFlow and writes its history."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from harness.faults.injector import Injector
from harness.frameworks import keras_measuring
from harness.frameworks.keras_faults import FaultlessTraining, FaultyTraining
from harness.frameworks.keras_package import NAME, keras, tf
from harness.frameworks.keras_recording import (
    STEPS,
    Position,
    Progress,
    Recording,
    instrument,
    record_own_callbacks,
)
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
    """Train the scenario's compiled model on the workload for as many epochs as its schedule plans.

    Args:
        device: `cpu`; see `cuda`.
        recorder: where the history goes; None runs the same training.
        injector: of what goes wrong; None for nothing. It needs a recorder.
    """
    _settle(seed)
    with _strategy(scenario.ranks):
        model = scenario.module(workload.shape)
    position = Position()
    faulty = FaultyTraining(injector, position) if injector else FaultlessTraining()
    own = [*scenario.trainer.get("callbacks", ()), *scenario.callbacks()]
    arguments: dict[str, Any] = {
        "epochs": workload.schedule.epochs, "verbose": 0, "shuffle": False,
        "validation_data": faulty.validation(workload), **scenario.trainer, "callbacks": own,
    }  # fmt: skip
    if os.path.exists(scenario.resume_from):
        arguments["initial_epoch"] = next(each.resume_from(model) for each in own if hasattr(each, "resume_from"))
    faulty.spoil(model)
    if recorder is not None:
        recording = Recording(recorder, workload, position)
        instrument(model, scenario.predictions_from, recording)
        owners = record_own_callbacks(own, recorder, position)
        # Last, so that it is told what callbacks before it add to the figures.
        arguments["callbacks"] = [Progress(position), *faulty.around([*own, recording])]
        planned = {"max_epochs": arguments["epochs"], "stages": list(STEPS), "hooks": [], "owners": owners}
        recorder.write("plan", "info", planned)
    faulty.fit(model, workload, arguments)


def _strategy(replicas: int) -> AbstractContextManager[Any]:
    """The scope to make a model in that several replicas are to train, each on a CPU of its own.

    It must be asked for before TensorFlow runs anything.
    """
    if replicas == 1:
        return nullcontext()
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    scope: AbstractContextManager[Any] = tf.distribute.MirroredStrategy(
        [f"CPU:{index}" for index in range(replicas)]
    ).scope()
    return scope


def cuda() -> dict[str, Any]:
    return {"available": False, "reason": "Keras scenarios run on the CPU only, so far", "device": "", "count": 0}


def warm_up() -> None:
    """Nothing: TensorFlow starts its threads with the first operation, and they do not survive a fork."""
