"""Runs one trial in PyTorch Lightning 1.9 to 2.6 and writes its history."""

import importlib
import inspect
import random
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

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
)
from harness.frameworks.partition import Partition, Samples
from harness.history.recorder import Recorder
from harness.scenario import Scenario
from harness.workloads.workload import Workload

__all__ = ["NAME", "cuda", "run", "warm_up"]

MAX_EPOCHS = 5


def run(scenario: Scenario, workload: Workload, device: str, seed: int, recorder: Recorder | None) -> None:
    """Train the scenario's module on the workload for `MAX_EPOCHS` epochs.

    Args:
        device: `cpu` or `cuda`.
        recorder: where the history goes; None runs the same training, and tells a logger that drops it.
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
        trainer.fit(module, loaders["train"], loaders["validation"])
    finally:
        if recorder is not None:
            recorder.gather(scenario.ranks)


def _torchmetrics_in(module: Any) -> dict[str, Any]:
    from torchmetrics import Metric

    return {name: child for name, child in module.named_modules() if isinstance(child, Metric)}


def cuda() -> dict[str, Any]:
    """Whether a GPU can be used, why not, and its name. Starts the CUDA runtime, which does not survive a fork."""
    if torch.version.cuda is None:
        return {"available": False, "reason": f"torch {torch.__version__} is built without CUDA", "device": ""}
    if not torch.cuda.is_available():
        return {"available": False, "reason": "torch finds no CUDA device", "device": ""}
    return {"available": True, "reason": "", "device": torch.cuda.get_device_name(0)}


def warm_up() -> None:
    """Import what Lightning 1.9's first `fit` imports: it would cost every forked trial half a second."""
    with suppress(ImportError):
        importlib.import_module("torch._dynamo")
