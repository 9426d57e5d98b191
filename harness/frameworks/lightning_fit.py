"""One `fit` of a trial in Lightning: its module, loaders and Trainer, as a scenario's own script is given them."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from harness import scenario_files
from harness.faults.injector import Injector
from harness.frameworks.lightning_faults import FaultlessTraining, FaultyTraining
from harness.frameworks.lightning_listeners import Joining, RecordingCallback, RecordingLogger, progress_bar
from harness.frameworks.lightning_measuring import Telling
from harness.frameworks.lightning_observables import record_calls, record_passes
from harness.frameworks.lightning_package import pl
from harness.frameworks.lightning_position import Position
from harness.frameworks.lightning_recording import HOOKS, STEPS, instrument, overrides, record_own_callbacks
from harness.frameworks.measuring import Measuring
from harness.history.recorder import Recorder
from harness.scenario import Scenario
from harness.workloads.schedule import Schedule
from harness.workloads.workload import DataShape, Workload


class TrialFit:
    """A `harness.fit.Fit`.

    Args:
        recorder: where the history goes; None for nowhere.
        callbacks: of the harness's own, whatever the script asks for.
        measuring: trains for as many epochs as it asks for, does not validate, and logs as often as by default.
        injector: of what goes wrong; None for nothing. It needs a recorder.
        goes_on: from a checkpoint; what is planned was written before.
    """

    def __init__(
        self,
        scenario: Scenario,
        workload: Workload,
        device: str,
        recorder: Recorder | None,
        callbacks: Sequence[Any] = (),
        measuring: Measuring | None = None,
        injector: Injector | None = None,
        goes_on: bool = False,
    ) -> None:
        self._scenario, self._workload, self._device = scenario, workload, device
        self._recorder, self._callbacks, self._measuring, self._goes_on = recorder, callbacks, measuring, goes_on
        self.new_module = _maker(scenario, workload)
        self.module = _as_precise(scenario.module(workload.shape), workload.precision)
        self._position = Position()
        self._faulty = FaultyTraining(injector, self._position, device) if injector else FaultlessTraining()
        self._samples = self._faulty.samples(workload)
        self._samplers = {
            stage: [self._faulty.partition(batches, stage) for batches in workload.loaders_of(stage)] for stage in STEPS
        }
        self._faulty.spoil_steps(self.module)
        if recorder is not None:
            instrument(self.module, scenario.predictions_from, self._samples, self._samplers, recorder, self._position)
            record_passes(self._samplers, recorder, self._position)

    def train_loader(self) -> Any:
        return self._loaders("train")[0]

    def val_loader(self, generator: Any = None) -> Any:
        options = {} if generator is None else {"generator": generator}
        loaders = self._loaders("validation", **options)
        return loaders if len(loaders) > 1 else loaders[0]

    def _loaders(self, stage: str, **options: Any) -> list[Any]:
        return [self._faulty.loader(self._samples, sampler, stage, **options) for sampler in self._samplers[stage]]

    def trainer(self, callbacks: Sequence[Any] = (), **arguments: Any) -> Any:
        scenario, recorder = self._scenario, self._recorder
        given: dict[str, Any] = {
            **_loop(self._workload.schedule),
            "accelerator": "gpu" if self._device == "cuda" else "cpu",
            "devices": 1,
            "logger": pl.loggers.logger.DummyLogger(),
            "log_every_n_steps": 1,
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "enable_progress_bar": False,
        }
        harness_own = list(self._callbacks)
        if recorder is not None:
            harness_own += self._recording(recorder, given)
        if self._measuring is not None:
            harness_own = [Telling(self._measuring)]
            given.update(max_epochs=self._measuring.max_epochs, limit_val_batches=0)
            del given["log_every_n_steps"]
        if scenario.ranks > 1:
            given.update(devices=scenario.ranks, strategy="ddp_fork")
            # The partition is the workload's own; Lightning must not cut it anew. 1.9 has another name for that.
            own_sampler = "use_distributed_sampler"
            if own_sampler not in inspect.signature(pl.Trainer).parameters:
                own_sampler = "replace_sampler_ddp"
            given[own_sampler] = False
        own = [*scenario.trainer.get("callbacks", ()), *scenario.callbacks(), *callbacks]
        given.update({**self._faulty.arguments(), **scenario.trainer, **arguments})
        if recorder is not None:
            owners = record_own_callbacks(own, recorder, self._position)
            self._plan(recorder, given["max_epochs"], owners, harness_own)
        joining = [Joining(recorder)] if recorder is not None and scenario.ranks > 1 else []
        given["callbacks"] = [*joining, *self._faulty.around([*own, *harness_own])]
        self._faulty.spoil_logger(given["logger"])
        trainer = pl.Trainer(**given)
        self._faulty.spoil_checkpoints(trainer)
        if recorder is not None:
            record_calls(trainer, recorder, self._position)
        return trainer

    def _recording(self, recorder: Recorder, given: dict[str, Any]) -> list[Any]:
        read_in = {aggregate.reported_in for aggregate in self._scenario.aggregates}
        metrics = _torchmetrics_in(self.module)
        recording: list[Any] = [RecordingCallback(recorder, self._position, metrics, "callback_metrics" in read_in)]
        if "progress_bar" in read_in:
            recording.append(progress_bar(recorder, self._position))
            given["enable_progress_bar"] = True
        given["logger"] = RecordingLogger(recorder, self._position)
        return recording

    def _plan(self, recorder: Recorder, epochs: int, owners: list[dict[str, Any]], recording: Sequence[Any]) -> None:
        """What a script has the Trainer do is not known before it begins."""
        planned = {
            "max_epochs": epochs,
            "stages": [stage for stage, step in STEPS.items() if overrides(self.module, step)],
            "hooks": [hook for hook in HOOKS if overrides(self.module, hook)],
            "owners": owners,
        }
        if self._scenario.fit:
            recording[0].plan_when_fit_starts(planned)
        elif not self._goes_on:
            recorder.write("plan", "info", planned)


def _maker(scenario: Scenario, workload: Workload) -> Callable[[], Any]:
    """Picklable, whatever the scenario's own function is."""
    return partial(make_module, scenario.locator, scenario.id, workload.shape, workload.precision)


def make_module(locator: str, scenario: str, shape: DataShape, precision: str) -> Any:
    """The module of a scenario that some process has or has not imported yet."""
    scenarios, _ = scenario_files.load(locator)
    made = next(each for each in scenarios if each.id == scenario).module(shape)
    return _as_precise(made, precision)


def _as_precise(module: Any, precision: str) -> Any:
    return module.to(getattr(torch, precision))


def _loop(schedule: Schedule) -> dict[str, Any]:
    return {
        "max_epochs": schedule.epochs,
        "accumulate_grad_batches": schedule.accumulate,
        "limit_train_batches": schedule.train_limit,
        "limit_val_batches": schedule.validation_limit,
        "val_check_interval": schedule.validate_after,
        "check_val_every_n_epoch": schedule.validate_every,
    }


def _torchmetrics_in(module: Any) -> dict[str, Any]:
    from torchmetrics import Metric

    return {name: child for name, child in module.named_modules() if isinstance(child, Metric)}
