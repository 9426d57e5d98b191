"""Runs one trial in PyTorch Lightning 1.9 to 2.6 and writes its history."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.faults.injector import Injector
from harness.frameworks import overlap_measuring, torch_measuring
from harness.frameworks.lightning_fit import TrialFit
from harness.frameworks.lightning_package import NAME, pl
from harness.frameworks.measuring import Measuring
from harness.frameworks.overlap_load import PREFIX, Load
from harness.frameworks.torch_runtime import cuda, seed_all, warm_up
from harness.frameworks.warnings_recording import record_warnings
from harness.history.recorder import Recorder
from harness.scenario import Scenario
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
        what: as of `torch_measuring.measuring`; or a `Load`, that the scenario's own script trains.
    """
    if what.startswith(PREFIX):
        seed_all(seed)
        told = overlap_measuring.measure(scenario, Load.of_measure(what), workload, device, seed)
        recorder.write("measured", "ok", told)
        return
    measuring = torch_measuring.measuring(what)
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
        with record_warnings(recorder):
            _run(scenario, workload, device, recorder, injector)
    finally:
        if recorder is not None:
            recorder.gather(scenario.ranks)


def _run(
    scenario: Scenario, workload: Workload, device: str, recorder: Recorder | None, injector: Injector | None
) -> None:
    if workload.schedule.stopped_at is None:
        resumed = scenario.resume_from if os.path.exists(scenario.resume_from) else None
        _fit(scenario, workload, device, recorder, checkpoint=resumed, injector=injector)
        return
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder, "mid_epoch.ckpt")
        with suppress(Cut):
            _fit(scenario, workload, device, recorder, [CutAfter(workload.schedule.stopped_at, checkpoint)])
        _fit(scenario, workload, device, recorder, checkpoint=str(checkpoint))


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
    """One `fit`, in a module and a trainer of its own."""
    fit = TrialFit(scenario, workload, device, recorder, callbacks, measuring, injector, checkpoint is not None)
    if scenario.fit:
        scenario.fit(fit)
    else:
        fit.trainer().fit(fit.module, **fit.data(), ckpt_path=checkpoint)
