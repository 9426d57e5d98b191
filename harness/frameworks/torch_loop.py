"""Runs one trial in a training loop of its own, in torch and nothing else, and writes its history.

The scenario's module brings the loop: ``fit(train, validation, epochs, report)`` goes over each loader once per epoch,
one after the other, and then calls ``report(figures)`` with a number by name. Recording watches the loaders and the
module's outputs::

    class Loop(torch.nn.Module):
        def fit(self, train, validation, epochs, report):
            for _ in range(epochs):
                for x, y in train:
                    ...
                report({"train_loss": loss_sum / samples})
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader

from harness.errors import ScenarioError
from harness.faults.injector import Injector
from harness.frameworks import loop_measuring, torch_measuring
from harness.frameworks.partition import Partition, Samples, WrappedLoader
from harness.frameworks.torch_recording import Predictions, checksums, number
from harness.frameworks.torch_runtime import cuda, seed_all, warm_up
from harness.history.encoding import encode_batch
from harness.history.recorder import Recorder
from harness.scenario import Scenario
from harness.workloads.workload import Workload

__all__ = ["NAME", "cuda", "measure", "run", "warm_up"]

NAME = "torch"


def measure(scenario: Scenario, workload: Workload, device: str, seed: int, what: str, recorder: Recorder) -> None:
    """Train without recording, and write one operation `measured`. Validation goes on, since a loop may need it,
    and is not measured.

    Args:
        what: as of `torch_measuring.measuring`.
    """
    measuring = torch_measuring.measuring(what)
    with measuring.meter:
        seed_all(seed)
        module = scenario.module(workload.shape).to(device=device, dtype=getattr(torch, workload.precision))
        samples = Samples(workload)
        train, validation = (samples.loader(Partition(workload.batches(stage))) for stage in ("train", "validation"))
        loop_measuring.fit(module, train, validation, measuring)
    recorder.write("measured", "ok", {"network": measuring.network, **measuring.result()})


def run(
    scenario: Scenario,
    workload: Workload,
    device: str,
    seed: int,
    recorder: Recorder | None,
    injector: Injector | None = None,
) -> None:
    """Have the scenario's module train itself on the workload, for as many epochs as its schedule plans.

    Args:
        device: `cpu` or `cuda`; the module is there, batches are not.
        recorder: where the history goes; None runs the same training.

    Raises:
        ScenarioError: the loop goes over the loaders in another way than is said above.
    """
    seed_all(seed)
    module = scenario.module(workload.shape).to(device=device, dtype=getattr(torch, workload.precision))
    samples = Samples(workload)
    loaders: dict[str, Any] = {
        stage: samples.loader(Partition(workload.batches(stage))) for stage in ("train", "validation")
    }
    epochs = workload.schedule.epochs
    if recorder is None:
        module.fit(*loaders.values(), epochs, _drop)
        return
    recording = Recording(module, scenario.predictions_from, samples, recorder)
    recorder.write("plan", "info", {"max_epochs": epochs, "stages": list(loaders), "hooks": []})
    recording.note_weights()
    watched = [Watched(loader, stage, recording) for stage, loader in loaders.items()]
    module.fit(*watched, epochs, recording.report)


class Recording:
    """Where the loop stands, and what is written of it. An epoch ends when it is reported."""

    def __init__(self, module: Any, predictions_from: str, samples: Samples, recorder: Recorder) -> None:
        self._module = module
        self._outputs = Predictions(module.get_submodule(predictions_from))
        self._samples = samples
        self._recorder = recorder
        self._epoch = 0
        self._step = 0
        self._begun: list[str] = []  # the stages that this epoch has gone over, or is going over now
        self._open = ""

    def begin_pass(self, stage: str) -> None:
        if self._open:
            raise ScenarioError(f"the loop goes over {stage} before it has done with a batch of {self._open}")
        if stage in self._begun:
            raise ScenarioError(f"the loop goes over {stage} twice before it reports epoch {self._epoch}")
        self._begun.append(stage)

    def begin(self, stage: str, batch: int) -> dict[str, Any]:
        """A batch is handed out; returns its place, for `end`."""
        if self._open:
            raise ScenarioError(f"the loop takes a batch of {stage} before it has done with one of {self._open}")
        self._open = stage
        place: dict[str, Any] = {"stage": stage, "epoch": self._epoch, "step": self._step, "batch": batch}
        self._outputs.begin()
        self._recorder.write("batch", "invoke", **place)
        return place

    def end(self, place: dict[str, Any], batch: Any, supposed: tuple[int, ...]) -> None:
        """The loop asks for what comes after it."""
        self.leave()
        ids = self._samples.identify(batch, supposed)
        seen = encode_batch(ids, self._outputs.latest, differing_runs=self._outputs.differing_runs)
        self._recorder.write("batch", "ok", text=seen, **place)
        self._step += place["stage"] == "train"

    def leave(self) -> None:
        """The batch is open no more."""
        self._open = ""

    def note_weights(self) -> None:
        self._recorder.write("weights", "info", checksums(self._module), epoch=self._epoch)

    def report(self, figures: Mapping[str, Any]) -> None:
        told = {"step": None, "epoch": self._epoch, "metrics": {name: number(it) for name, it in figures.items()}}
        self._recorder.write("logger", "ok", told, stage="train", epoch=self._epoch, step=self._step)
        self.note_weights()
        self._epoch += 1
        self._begun, self._open = [], ""


class Watched(WrappedLoader):
    """A loader that tells when each of its batches begins and ends."""

    def __init__(self, loader: DataLoader, stage: str, recording: Recording) -> None:
        super().__init__(loader)
        self._stage = stage
        self._recording = recording

    def __iter__(self) -> Iterator[Any]:
        self._recording.begin_pass(self._stage)
        for index, batch in enumerate(self._loader):
            place = self._recording.begin(self._stage, index)
            try:
                yield batch
            except GeneratorExit:  # the loop leaves in the middle of the pass
                self._recording.leave()
                raise
            self._recording.end(place, batch, self._loader.batch_sampler.given[index])


def _drop(figures: Mapping[str, Any]) -> None:
    pass
