"""Runs one trial in PyTorch Lightning 1.9 to 2.6 and writes its history."""

import inspect
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from harness.faults.injector import Injector
from harness.frameworks import overlap_measuring, torch_measuring
from harness.frameworks.lightning_faults import FaultlessTraining, FaultyTraining
from harness.frameworks.lightning_measuring import Telling
from harness.frameworks.lightning_package import NAME, pl
from harness.frameworks.lightning_recording import (
    HOOKS,
    STEPS,
    Position,
    RecordingCallback,
    RecordingLogger,
    instrument,
    overrides,
    progress_bar,
    record_own_callbacks,
)
from harness.frameworks.measuring import Measuring
from harness.frameworks.overlap_load import PREFIX, Load
from harness.frameworks.torch_runtime import cuda, seed_all, warm_up
from harness.history.recorder import Recorder
from harness.scenario import Scenario
from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload

__all__ = ["NAME", "cuda", "measure", "run", "warm_up"]


class Cut(Exception):  # noqa: N818  # it is no error
    """Ends a `fit` in mid-epoch, as whatever takes the machine away would."""


class CutAfter(pl.Callback):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    """Saves a checkpoint after a batch, where `ModelCheckpoint(every_n_train_steps=...)` does, and ends the `fit`."""

    def __init__(self, at: tuple[int, int], checkpoint: Path) -> None:
        self._at = at
        self._checkpoint = checkpoint

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if (trainer.current_epoch, batch_idx) == self._at:
            trainer.save_checkpoint(self._checkpoint)
            raise Cut


def measure(scenario: Scenario, workload: Workload, device: str, seed: int, what: str, recorder: Recorder) -> None:
    """Train without recording, and write one operation `measured`.

    Args:
        what: one of `torch_measuring.MEASURES`; or a `Load`, that the scenario's own script trains.
    """
    if what.startswith(PREFIX):
        assert scenario.fit is not None  # or there is nothing that could be measured so
        seed_all(seed)
        told = overlap_measuring.measure(scenario.fit, Load.of_measure(what), workload, device, seed)
        recorder.write("measured", "ok", told)
        return
    measuring = torch_measuring.MEASURES[what]()
    with measuring.meter:
        seed_all(seed)
        _fit(scenario, workload, device, None, measuring=measuring)
    recorder.write("measured", "ok", {"network": measuring.network, **measuring.result()})


def run(
    scenario: Scenario,
    workload: Workload,
    device: str,
    seed: int,
    recorder: Recorder | None,
    injector: Injector | None = None,
) -> None:
    """Train the scenario's module on the workload, as its schedule says.

    Args:
        device: `cpu` or `cuda`.
        recorder: where the history goes; None runs the same training, and tells a logger that drops it.
        injector: of what goes wrong; None for nothing. It needs a recorder.
    """
    seed_all(seed)
    try:
        if workload.schedule.stopped_at is None:
            resumed = scenario.resume_from if os.path.exists(scenario.resume_from) else None
            _fit(scenario, workload, device, recorder, checkpoint=resumed, injector=injector)
        else:
            with TemporaryDirectory() as folder:
                checkpoint = Path(folder, "mid_epoch.ckpt")
                with suppress(Cut):
                    _fit(scenario, workload, device, recorder, [CutAfter(workload.schedule.stopped_at, checkpoint)])
                _fit(scenario, workload, device, recorder, checkpoint=str(checkpoint))
    finally:
        if recorder is not None:
            recorder.gather(scenario.ranks)


def _fit(
    scenario: Scenario,
    workload: Workload,
    device: str,
    recorder: Recorder | None,
    callbacks: Sequence[Any] = (),
    checkpoint: str | None = None,
    measuring: Measuring | None = None,
    injector: Injector | None = None,
) -> None:
    """One `fit`, in a module and a trainer of its own.

    Args:
        measuring: trains for as many epochs as it asks for, does not validate, and logs as often as by default.
    """
    module = scenario.module(workload.shape).to(getattr(torch, workload.precision))
    position = Position()
    faulty = FaultyTraining(injector, position, device) if injector else FaultlessTraining()
    samples = faulty.samples(workload)
    samplers = {stage: [faulty.partition(batches, stage) for batches in workload.loaders_of(stage)] for stage in STEPS}
    (train,), validation = ([faulty.loader(samples, sampler, stage) for sampler in samplers[stage]] for stage in STEPS)
    faulty.spoil_steps(module)
    arguments: dict[str, Any] = {
        **_loop(workload.schedule),
        "accelerator": "gpu" if device == "cuda" else "cpu",
        "devices": 1,
        "logger": pl.loggers.logger.DummyLogger(),
        "log_every_n_steps": 1,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
    }
    recording: list[Any] = []
    if recorder is not None:
        instrument(module, scenario.predictions_from, samples, samplers, recorder, position)
        metrics = _torchmetrics_in(module)
        read_in = {aggregate.reported_in for aggregate in scenario.aggregates}
        recording = [RecordingCallback(recorder, position, metrics, "callback_metrics" in read_in)]
        if "progress_bar" in read_in:
            recording.append(progress_bar(recorder, position))
            arguments["enable_progress_bar"] = True
        arguments["logger"] = RecordingLogger(recorder, position)
    if measuring is not None:
        callbacks = [Telling(measuring)]
        arguments.update(max_epochs=measuring.max_epochs, limit_val_batches=0)
        del arguments["log_every_n_steps"]
    if scenario.ranks > 1:
        arguments.update(devices=scenario.ranks, strategy="ddp_fork")
        # The partition is the workload's own; Lightning must not cut it anew. 1.9 has another name for that.
        own_sampler = "use_distributed_sampler"
        if own_sampler not in inspect.signature(pl.Trainer).parameters:
            own_sampler = "replace_sampler_ddp"
        arguments[own_sampler] = False
    own = [*scenario.trainer.get("callbacks", ()), *scenario.callbacks()]
    owners = record_own_callbacks(own, recorder, position) if recorder is not None else []
    arguments.update({**faulty.arguments(), **scenario.trainer})
    arguments["callbacks"] = faulty.around([*own, *callbacks, *recording])
    if recorder is not None and checkpoint is None:
        planned = {
            "max_epochs": arguments["max_epochs"],
            "stages": [stage for stage, step in STEPS.items() if overrides(module, step)],
            "hooks": [hook for hook in HOOKS if overrides(module, hook)],
            "owners": owners,
        }
        recorder.write("plan", "info", planned)
    faulty.spoil_logger(arguments["logger"])
    trainer = pl.Trainer(**arguments)
    faulty.spoil_checkpoints(trainer)
    trainer.fit(module, train, validation if len(validation) > 1 else validation[0], ckpt_path=checkpoint)


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
