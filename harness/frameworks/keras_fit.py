"""One `fit` of a trial in Keras: its model and data, as a scenario's own script is given them."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from harness import scenario_files
from harness.faults.injector import Injector
from harness.frameworks.keras_faults import FaultlessTraining, FaultyTraining
from harness.frameworks.keras_package import tf
from harness.frameworks.keras_recording import (
    STEPS,
    LateFigures,
    Position,
    Progress,
    Recording,
    instrument,
    record_own_callbacks,
)
from harness.history.recorder import Recorder
from harness.scenario import Scenario
from harness.workloads.workload import DataShape, Workload


class TrialFit:
    """A `harness.fit.KerasFit`.

    Args:
        recorder: where the history goes; None for nowhere.
        injector: of what goes wrong; None for nothing. It needs a recorder.
    """

    def __init__(
        self, scenario: Scenario, workload: Workload, recorder: Recorder | None, injector: Injector | None = None
    ) -> None:
        self._scenario, self._workload, self._recorder = scenario, workload, recorder
        self.new_module = partial(make_module, scenario.locator, scenario.id, workload.shape)
        with _strategy(scenario.ranks):
            self.module = scenario.module(workload.shape)
        self._position = Position()
        self._faulty = FaultyTraining(injector, self._position) if injector else FaultlessTraining()
        self._faulty.spoil(self.module)
        self._recording: list[Recording] = []
        if recorder is not None:
            self._recording = [Recording(recorder, workload, self._position)]
            instrument(self.module, scenario.predictions_from, self._recording[0])

    def val_loader(self) -> Any:
        return self._faulty.validation(self._workload)

    def logger(self) -> Any:
        return LateFigures(self._recording)

    def fit(self, callbacks: Sequence[Any] = (), **arguments: Any) -> None:
        own = [*self._scenario.trainer.get("callbacks", ()), *self._scenario.callbacks(), *callbacks]
        epochs = self._workload.schedule.epochs
        given = {"epochs": epochs, "verbose": 0, "shuffle": False, **self._scenario.trainer, **arguments}
        if os.path.exists(self._scenario.resume_from):
            given["initial_epoch"] = next(each.resume_from(self.module) for each in own if hasattr(each, "resume_from"))
        given["callbacks"] = own
        if self._recorder is not None:
            owners = record_own_callbacks(own, self._recorder, self._position)
            # Last, so that it is told what callbacks before it add to the figures.
            given["callbacks"] = [Progress(self._position), *self._faulty.around([*own, *self._recording])]
            stages = [stage for stage in STEPS if stage == "train" or "validation_data" in given]
            self._recorder.write(
                "plan", "info", {"max_epochs": epochs, "stages": stages, "hooks": [], "owners": owners}
            )
        self._faulty.fit(self.module, self._workload, given)


def make_module(locator: str, scenario: str, shape: DataShape) -> Any:
    """The model of a scenario that some process has or has not imported yet."""
    scenarios, _ = scenario_files.load(locator)
    return next(each for each in scenarios if each.id == scenario).module(shape)


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
