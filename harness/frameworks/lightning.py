"""Runs one trial in PyTorch Lightning 1.9 to 2.6 and writes its history."""

import importlib
import inspect
import random
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from harness.frameworks import lightning_measuring
from harness.frameworks.lightning_package import pl
from harness.frameworks.lightning_recording import (
    HOOKS,
    STEPS,
    Position,
    RecordingCallback,
    RecordingLogger,
    instrument,
    overrides,
    progress_bar,
)
from harness.frameworks.partition import Partition, Samples
from harness.history.recorder import Recorder
from harness.scenario import Scenario
from harness.workloads.workload import Workload

MAX_EPOCHS = 5


def measure(scenario: Scenario, workload: Workload, device: str, seed: int, what: str, recorder: Recorder) -> None:
    """Train without recording, and write one operation `measured`.

    Args:
        what: one of `lightning_measuring.MEASURES`.
    """
    measuring = lightning_measuring.MEASURES[what]()
    with measuring.meter:
        run(scenario, workload, device, seed, None, measuring)
    recorder.write("measured", "ok", {"network": measuring.network, **measuring.result()})


def run(
    scenario: Scenario,
    workload: Workload,
    device: str,
    seed: int,
    recorder: Recorder | None,
    measuring: lightning_measuring.Measuring | None = None,
) -> None:
    """Train the scenario's module on the workload for `MAX_EPOCHS` epochs.

    Args:
        device: `cpu` or `cuda`.
        recorder: where the history goes; None runs the same training, and tells a logger that drops it.
        measuring: trains for as many epochs as it asks for, does not validate, and logs as often as by default.
    """
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    module = scenario.module(workload.shape)
    samplers = {stage: Partition(workload.batches(stage)) for stage in ("train", "validation")}
    samples = Samples(workload)
    loaders = {stage: DataLoader(samples, batch_sampler=sampler) for stage, sampler in samplers.items()}
    arguments: dict[str, Any] = {
        "max_epochs": MAX_EPOCHS,
        "accelerator": "gpu" if device == "cuda" else "cpu",
        "devices": 1,
        "logger": pl.loggers.logger.DummyLogger(),
        "log_every_n_steps": 1,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
    }
    if recorder is not None:
        position = Position()
        instrument(module, scenario.predictions_from, samples, samplers, recorder, position)
        metrics = _torchmetrics_in(module)
        read_in = {aggregate.reported_in for aggregate in scenario.aggregates}
        callbacks = [RecordingCallback(recorder, position, metrics, "callback_metrics" in read_in)]
        if "progress_bar" in read_in:
            callbacks.append(progress_bar(recorder, position))
            arguments["enable_progress_bar"] = True
        arguments.update(callbacks=callbacks, logger=RecordingLogger(recorder, position))
    if measuring is not None:
        arguments.update(callbacks=[measuring], max_epochs=measuring.max_epochs)
        del arguments["log_every_n_steps"], loaders["validation"]
    if scenario.ranks > 1:
        arguments.update(devices=scenario.ranks, strategy="ddp_fork")
        # The partition is the workload's own; Lightning must not cut it anew. 1.9 has another name for that.
        own_sampler = "use_distributed_sampler"
        if own_sampler not in inspect.signature(pl.Trainer).parameters:
            own_sampler = "replace_sampler_ddp"
        arguments[own_sampler] = False
    asked = dict(scenario.trainer)
    arguments["callbacks"] = [*asked.pop("callbacks", ()), *arguments.get("callbacks", ())]
    arguments.update(asked)
    if recorder is not None:
        planned = {
            "max_epochs": arguments["max_epochs"],
            "stages": [stage for stage, step in STEPS.items() if overrides(module, step)],
            "hooks": [hook for hook in HOOKS if overrides(module, hook)],
        }
        recorder.write("plan", "info", planned)
    trainer = pl.Trainer(**arguments)
    try:
        trainer.fit(module, loaders["train"], loaders.get("validation"))
    finally:
        if recorder is not None:
            recorder.gather(scenario.ranks)


def _torchmetrics_in(module: Any) -> dict[str, Any]:
    from torchmetrics import Metric

    return {name: child for name, child in module.named_modules() if isinstance(child, Metric)}


def warm_up() -> None:
    """Import what Lightning 1.9's first `fit` imports: it would cost every forked trial half a second."""
    with suppress(ImportError):
        importlib.import_module("torch._dynamo")
