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
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader

from harness.errors import ScenarioError
from harness.faults.injector import Injector
from harness.frameworks import loop_measuring, torch_measuring
from harness.frameworks.partition import Partition, Samples, WrappedLoader
from harness.frameworks.torch_recording import Predictions, checksums, number
from harness.frameworks.torch_runtime import cuda, seed_all, warm_up
from harness.history.encoding import Json, encode_batch
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


@dataclass(eq=False)
class Taken:
    """A batch that the loop was handed out.

    Attributes:
        supposed: the samples that the sampler gave out for it.
        is_last: of its pass.
    """

    place: dict[str, Any]
    batch: Any
    supposed: tuple[int, ...]
    is_last: bool


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
        self._open: Taken | None = None
        self._left: tuple[Taken, Json, int] | None = None  # with what the module gave for it

    def begin_pass(self, stage: str) -> None:
        if self._open and self._open.is_last and self._outputs.latest:
            self.leave(self._open)
        if self._open:
            of = self._open.place["stage"]
            raise ScenarioError(f"the loop goes over {stage} before it has done with a batch of {of}")
        if stage in self._begun:
            raise ScenarioError(f"the loop goes over {stage} twice before it reports epoch {self._epoch}")
        self._write_left()
        self._begun.append(stage)

    def begin(self, stage: str, index: int, batch: Any, supposed: tuple[int, ...], is_last: bool) -> Taken:
        """A batch is handed out; returns it, for `end` or `leave`."""
        if self._open:
            of = self._open.place["stage"]
            raise ScenarioError(f"the loop takes a batch of {stage} before it has done with one of {of}")
        place: dict[str, Any] = {"stage": stage, "epoch": self._epoch, "step": self._step, "batch": index}
        self._open = Taken(place, batch, supposed, is_last)
        self._outputs.begin()
        self._recorder.write("batch", "invoke", **place)
        return self._open

    def end(self, taken: Taken) -> None:
        """The loop asks for what comes after it."""
        if taken is self._open:
            self._open = None
            self._write(taken, self._outputs.latest, self._outputs.differing_runs)

    def leave(self, taken: Taken) -> None:
        """The loop does not ask for what comes after it. What it predicted on counts once the loop goes on: it may
        leave because it raised."""
        if taken is self._open:
            self._open = None
            if self._outputs.latest:
                self._left = taken, self._outputs.latest, self._outputs.differing_runs

    def note_weights(self) -> None:
        self._recorder.write("weights", "info", checksums(self._module), epoch=self._epoch)

    def report(self, figures: Mapping[str, Any]) -> None:
        if self._open:
            self.leave(self._open)
        self._write_left()
        told = {"step": None, "epoch": self._epoch, "metrics": {name: number(it) for name, it in figures.items()}}
        self._recorder.write("logger", "ok", told, stage="train", epoch=self._epoch, step=self._step)
        self.note_weights()
        self._epoch += 1
        self._begun = []

    def _write_left(self) -> None:
        if self._left:
            self._write(*self._left)
            self._left = None

    def _write(self, taken: Taken, outputs: Json | None, differing_runs: int) -> None:
        ids = self._samples.identify(taken.batch, taken.supposed)
        seen = encode_batch(ids, outputs, differing_runs=differing_runs)
        self._recorder.write("batch", "ok", text=seen, **taken.place)
        self._step += taken.place["stage"] == "train"


class Watched(WrappedLoader):
    """A loader that tells when each of its batches begins and ends."""

    def __init__(self, loader: DataLoader, stage: str, recording: Recording) -> None:
        super().__init__(loader)
        self._stage = stage
        self._recording = recording

    def __iter__(self) -> Iterator[Any]:
        self._recording.begin_pass(self._stage)
        for index, batch in enumerate(self._loader):
            supposed, is_last = self._loader.batch_sampler.given[index], index == len(self) - 1
            taken = self._recording.begin(self._stage, index, batch, supposed, is_last)
            try:
                yield batch
            except GeneratorExit:  # the loop asks for no more
                self._recording.leave(taken)
                raise
            self._recording.end(taken)


def _drop(figures: Mapping[str, Any]) -> None:
    pass
