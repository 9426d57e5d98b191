"""Runs a scenario's own script on a load, and measures what validating beside training takes.

Hooks of the scenario's callbacks are timed by Lightning's own profiler interface, so that nothing is wrapped and
nothing that Lightning inspects is changed. All times are of the clock that processes share, from the script's start.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from harness.frameworks.lightning_package import pl
from harness.frameworks.lightning_recording import overrides
from harness.frameworks.overlap_load import Load
from harness.frameworks.overlap_modules import LoadedModule, LoadedTraining, make_loader, make_module
from harness.frameworks.process_use import busy_seconds, cpu_seconds, descendants, private_bytes
from harness.frameworks.torch_recording import checksums
from harness.scenario import Scenario
from harness.workloads.workload import Workload

LOOK_EVERY_S = 0.02


class Seen:
    """What has been seen of one training.

    Attributes:
        train: when each epoch's batches began and ended.
        hooks: (hook, epoch) → seconds in the scenario's callbacks; epoch −1 is before the first.
        figures: every `val_loss` that the logger was told, with the epoch and step that it was told for.
        weights: a checksum of them and of the buffers at the end of every epoch.
    """

    def __init__(self) -> None:
        self.train: list[list[float]] = []
        self.over = 0.0
        self.hooks: dict[tuple[str, int], float] = {}
        self.figures: list[dict[str, Any]] = []
        self.weights: list[int] = []

    @property
    def epoch(self) -> int:
        return len(self.train) - 1


class Watching(pl.Callback):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    """Notes when epochs begin and end; it stands before the scenario's callbacks."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._seen.train.append([time.monotonic(), time.monotonic()])

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._seen.train[-1][1] = time.monotonic()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._seen.weights.append(checksums(pl_module)["state_crc32"])

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._seen.over = time.monotonic()


class HookTimes(pl.profilers.Profiler):  # type: ignore[name-defined,misc]  # as above
    """Adds up the seconds of the hooks of some callbacks, by hook and epoch."""

    def __init__(self, seen: Seen, callbacks: Sequence[Any]) -> None:
        super().__init__()
        self._seen = seen
        self._owned = tuple(f"[Callback]{callback.state_key}." for callback in callbacks)
        self._began: dict[str, float] = {}

    def start(self, action_name: str) -> None:
        if action_name.startswith(self._owned):
            self._began[action_name] = time.monotonic()

    def stop(self, action_name: str) -> None:
        if action_name in self._began:
            key = action_name.rpartition(".")[2], self._seen.epoch
            taken = time.monotonic() - self._began.pop(action_name)
            self._seen.hooks[key] = self._seen.hooks.get(key, 0.0) + taken


class Figures(pl.loggers.logger.DummyLogger):  # type: ignore[name-defined,misc]  # as above
    """Keeps the validation losses that it is told."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen = seen

    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        if "val_loss" in metrics:
            epoch = metrics.get("epoch")
            self._seen.figures.append(
                {"epoch": None if epoch is None else int(epoch), "step": step, "val_loss": float(metrics["val_loss"])}
            )


class LoadedFit:
    """The `Fit` that a scenario's script is given: a load's module and loaders, and a Trainer that is watched.

    The module validates, if the scenario's own does.
    """

    def __init__(
        self, scenario: Scenario, load: Load, workload: Workload, device: str, seed: int, trace: str, seen: Seen
    ) -> None:
        shape = workload.shape
        validates = overrides(scenario.module(shape), "validation_step")
        kind = LoadedModule if validates else LoadedTraining
        self._load = load
        self._device = device
        self._seen = seen
        self.new_module: Callable[[], Any] = partial(
            make_module, kind, load, shape.features, shape.classes, seed, trace
        )
        self.module = self.new_module()
        samples = torch.from_numpy(workload.features), torch.from_numpy(workload.targets)
        self.train_loader: Callable[[], Any] = partial(make_loader, *samples, workload.train)
        self.val_loader: Callable[..., Any] = partial(make_loader, *samples, workload.validation)

    def trainer(self, callbacks: Sequence[Any] = (), **arguments: Any) -> Any:
        """Further arguments are a `Trainer`'s, and take precedence."""
        given: dict[str, Any] = {
            "max_epochs": self._load.epochs,
            "accelerator": "gpu" if self._device == "cuda" else "cpu",
            "devices": 1,
            "logger": Figures(self._seen),
            "profiler": HookTimes(self._seen, callbacks),
            "num_sanity_val_steps": 0,  # sequential validation takes as long as its epochs do, and no longer
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "enable_progress_bar": False,
            **arguments,
        }
        return pl.Trainer(callbacks=[Watching(self._seen), *callbacks], **given)


class MemoryWatch(threading.Thread):
    """Looks at private memory again and again; what it keeps is the most of each process."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks: dict[int, int] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            for pid in (os.getpid(), *descendants()):
                self.peaks[pid] = max(self.peaks.get(pid, 0), private_bytes(pid))

    def end(self) -> dict[str, Any]:
        """Most bytes of this process, and of each of its descendants, largest first."""
        self._over.set()
        self.join()
        own = self.peaks.pop(os.getpid(), 0)
        return {"own": own, "workers": sorted(self.peaks.values(), reverse=True)}


def measure(scenario: Scenario, load: Load, workload: Workload, device: str, seed: int) -> dict[str, Any]:
    """Run the scenario's own script once, and tell what it took.

    Returns:
        `wall_s` of the script from beginning to end; `cpu_s` of all processes of this trial meanwhile; `busy_s`: how
        long the `cores` that it may use worked, for anyone; `train`: when the batches of each epoch began and ended;
        `over_s`: when training was; `validation`: every pass, with the epoch whose weights it saw, who ran it (0 for
        the first of those who did), and when; `hooks`: seconds in the scenario's callbacks; `figures`; `weights`; and
        `memory`, None unless it was watched.
    """
    assert scenario.fit is not None  # nothing else is asked for
    handle, trace = tempfile.mkstemp(suffix=".txt")
    os.close(handle)
    seen = Seen()
    fit = LoadedFit(scenario, load, workload, device, seed, trace, seen)
    cores = sorted(os.sched_getaffinity(0))
    memory = MemoryWatch() if load.watch_memory else None
    if memory:
        memory.start()
    busy, cpu, began = busy_seconds(cores), cpu_seconds(), time.monotonic()
    scenario.fit(fit)
    wall = time.monotonic() - began
    cpu, busy = cpu_seconds() - cpu, busy_seconds(cores) - busy
    told = {
        "wall_s": wall,
        "cpu_s": cpu,
        "busy_s": busy,
        "cores": len(cores),
        "train": [[start - began, end - began] for start, end in seen.train],
        "over_s": seen.over - began,
        "validation": _passes(Path(trace), began, len(workload.train), len(workload.validation)),
        "hooks": [{"hook": hook, "epoch": epoch, "seconds": took} for (hook, epoch), took in seen.hooks.items()],
        "figures": seen.figures,
        "weights": seen.weights,
        "memory": memory.end() if memory else None,
    }
    os.unlink(trace)
    return told


def _passes(trace: Path, began: float, train_batches: int, validation_batches: int) -> list[dict[str, Any]]:
    """Forward passes put together to passes over the validation batches: those of one thread with the same weights."""
    passes: dict[tuple[int, int, int], list[tuple[float, float]]] = {}
    for line in trace.read_text(encoding="ascii").splitlines():
        process, thread, trained, start, end = line.split()
        passes.setdefault((int(process), int(thread), int(trained)), []).append((float(start), float(end)))
    workers = {who: number for number, who in enumerate(dict.fromkeys(key[:2] for key in passes))}
    return [
        {
            "epoch": trained // train_batches - 1,
            "whole": trained % train_batches == 0 and len(spans) == validation_batches,
            "worker": workers[process, thread],
            "start_s": spans[0][0] - began,
            "end_s": spans[-1][1] - began,
        }
        for (process, thread, trained), spans in passes.items()
    ]
