"""One `fit` of a trial in Lightning: its module, loaders and Trainer, as a scenario's own script is given them."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, Subset, default_collate

from harness import scenario_files
from harness.faults.injector import Injector
from harness.frameworks.lightning_faults import FaultlessTraining, FaultyTraining
from harness.frameworks.lightning_listeners import (
    PROGRESS_BAR,
    Joining,
    RecordingCallback,
    RecordingLogger,
    progress_bar,
)
from harness.frameworks.lightning_measuring import Telling
from harness.frameworks.lightning_observables import record_calls, record_passes
from harness.frameworks.lightning_package import pl
from harness.frameworks.lightning_position import Position
from harness.frameworks.lightning_recording import HOOKS, STEPS, instrument, overrides, record_own_callbacks
from harness.frameworks.measuring import Measuring
from harness.frameworks.own_data import OwnSamples
from harness.frameworks.partition import Partition, Samples
from harness.history.recorder import Recorder
from harness.scenario import Scenario, second_of_pair
from harness.workloads.schedule import BY_TRAINER, Schedule
from harness.workloads.sharing import PADDED
from harness.workloads.workload import DataShape, Workload

# What a Trainer is asked to do, and the stage of that.
ALONE = {"validate": "validation", "test": "test", "predict": "predict"}
STAGES = ("train", *ALONE.values())


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
        self._own = scenario.data() if scenario.data else None
        if self._own is not None:
            workload = replace(workload, schedule=Schedule.of_trainer(scenario.trainer))
        self._scenario, self._workload, self._device = scenario, workload, device
        self._recorder, self._callbacks, self._measuring, self._goes_on = recorder, callbacks, measuring, goes_on
        self.new_module = _maker(scenario, workload)
        self._position = Position()
        self._faulty = FaultyTraining(injector, self._position, device) if injector else FaultlessTraining()
        self._samples: Any = self._faulty.samples(workload)
        self._samplers = {
            stage: [self._faulty.partition(batches, stage) for batches in workload.loaders_of(stage)]
            for stage in STAGES
        }
        if scenario.ranks > 1:
            for partition in chain(*self._samplers.values()):
                partition.sharing = workload.sharing
        if self._own is not None:
            self._samples = OwnSamples(scenario.targets or second_of_pair, self._position)
            self._samplers = {}
        self._record_passes(self._samplers)
        self._planned = False
        self.module = self.another_module()

    def another_module(self) -> Any:
        scenario, recorder = self._scenario, self._recorder
        if self._own is not None:
            module = scenario.module(self._own)
        else:
            module = _as_precise(scenario.module(self._workload.shape), self._workload.precision)
        if hasattr(module, "_orig_mod"):  # compiled by torch: a Trainer would do the same
            module = pl.utilities.compile.from_compiled(module)
        self._faulty.spoil_steps(module)
        if recorder is not None:
            instrument(module, scenario.predictions_from, self._samples, self._samplers, recorder, self._position)
        return module

    def data(self) -> dict[str, Any]:
        """What the Trainer is to go over, as arguments of its `fit`."""
        if self._own is not None:
            return {"datamodule": self._own}
        return {"train_dataloaders": self.train_loader(), "val_dataloaders": self.val_loader()}

    def train_loader(self, **options: Any) -> Any:
        return self._loader("train", **options)

    def train_loaders(self, number: int) -> list[Any]:
        parts = [Partition(self._workload.train[part::number]) for part in range(number)]
        self._record_passes({"train": parts})
        return [self._samples.loader(part) for part in parts]

    def val_loader(self, **options: Any) -> Any:
        return self._loader("validation", **options)

    def test_loader(self, **options: Any) -> Any:
        return self._loader("test", **options)

    def predict_loader(self, **options: Any) -> Any:
        batches = self._workload.validation
        samples = Subset(self._samples, [sample for batch in batches for sample in batch])
        return DataLoader(samples, len(batches[0]), **options)

    def _loader(self, stage: str, stream: bool = False, **options: Any) -> Any:
        if stream:
            loaders = [DataLoader(Stream(self._samples, each), batch_size=None) for each in self._samplers[stage]]
        else:
            loaders = [self._faulty.loader(self._samples, each, stage, **options) for each in self._samplers[stage]]
        return loaders if len(loaders) > 1 else loaders[0]

    def _record_passes(self, partitions: dict[str, list[Partition]]) -> None:
        if self._recorder is not None:
            record_passes(partitions, self._recorder, self._position)

    def trainer(self, callbacks: Sequence[Any] = (), **arguments: Any) -> Any:
        scenario, recorder = self._scenario, self._recorder
        own = [*scenario.trainer.get("callbacks", ()), *scenario.callbacks(), *callbacks]
        given: dict[str, Any] = {
            **_loop(self._workload.schedule),
            "accelerator": "gpu" if self._device == "cuda" else "cpu",
            "devices": 1,
            "logger": pl.loggers.logger.DummyLogger(),
            "log_every_n_steps": 1,
            "enable_checkpointing": any(isinstance(each, pl.callbacks.Checkpoint) for each in own),
            "enable_model_summary": False,
            "enable_progress_bar": any(isinstance(each, PROGRESS_BAR) for each in own),
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
            # Lightning must not cut a partition anew that says what each rank gets. 1.9 has another name for that.
            own_sampler = "use_distributed_sampler"
            if own_sampler not in inspect.signature(pl.Trainer).parameters:
                own_sampler = "replace_sampler_ddp"
            given[own_sampler] = self._workload.sharing == PADDED
        of_its_own = {name: value for name, value in scenario.trainer.items() if name not in BY_TRAINER}
        given.update({**self._faulty.arguments(), **of_its_own, **arguments})
        if recorder is not None:
            owners = record_own_callbacks(own, recorder, self._position)
            if scenario.fit:
                harness_own.append(WhenSetUp(partial(self._plan, recorder, owners)))
            elif not self._goes_on:
                self._plan(recorder, owners)
        joining = [Joining(recorder, self._position)] if recorder is not None and scenario.ranks > 1 else []
        given["callbacks"] = [*joining, *self._faulty.around([*own, *harness_own])]
        self._faulty.spoil_logger(given["logger"])
        trainer = pl.Trainer(**given)
        self._faulty.spoil_checkpoints(trainer)
        if recorder is not None:
            record_calls(trainer, recorder, self._position)
        return trainer

    def _recording(self, recorder: Recorder, given: dict[str, Any]) -> list[Any]:
        read_in = {aggregate.reported_in for aggregate in self._scenario.aggregates}
        shown = {each.stage for each in self._scenario.aggregates if each.reported_in == "progress_bar"}
        metrics = _torchmetrics_in(self.module)
        recording: list[Any] = [RecordingCallback(recorder, self._position, metrics, "callback_metrics" in read_in)]
        if shown:
            recording.append(progress_bar(recorder, self._position, "validation" in shown))
            given["enable_progress_bar"] = True
        given["logger"] = RecordingLogger(recorder, self._position)
        return recording

    def _plan(self, recorder: Recorder, owners: list[dict[str, Any]], trainer: Any = None, asked: str = "fit") -> None:
        """What a script has its first Trainer do is not known before that is set up: `asked` for one of `ALONE`, it
        goes over the batches once; in `fit`, it validates only if the Trainer does."""
        if self._planned:
            return
        self._planned = True
        stages = [stage for stage in ("train", "validation") if overrides(self.module, STEPS[stage])]
        if asked in ALONE:
            stages = [ALONE[asked]]
        elif trainer is not None and not trainer.enable_validation:
            stages = [stage for stage in stages if stage == "train"]
        planned = {
            "max_epochs": 1 if asked in ALONE else self._workload.schedule.epochs,
            "stages": stages,
            "hooks": [hook for hook in HOOKS if overrides(self.module, hook)],
            "owners": owners,
        }
        recorder.write("plan", "info", planned)


class WhenSetUp(pl.Callback):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    def __init__(self, then: Callable[[Any, str], None]) -> None:
        self._then = then

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._then(trainer, getattr(stage, "value", stage))


class Stream(IterableDataset):  # type: ignore[misc]  # torch is not type-checked here
    """The batches of a partition, from whom nobody learns how many there are."""

    def __init__(self, samples: Samples, partition: Partition) -> None:
        self._samples, self._partition = samples, partition

    def __iter__(self) -> Iterator[Any]:
        for batch in self._partition:
            yield default_collate([self._samples[index] for index in batch])


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
    return {name: getattr(schedule, field) for name, field in BY_TRAINER.items()}


def _torchmetrics_in(module: Any) -> dict[str, Any]:
    from torchmetrics import Metric

    return {name: child for name, child in module.named_modules() if isinstance(child, Metric)}
