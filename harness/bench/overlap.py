"""What validating beside training takes, and what it saves: strategies in turn, on the same loads."""

import os
import platform
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import harness
from harness.bench import overlap_claims
from harness.bench.measuring import Measurer
from harness.bench.overlap_results import DOCUMENTED, FLOOR, PERSISTENT, REFERENCE, Cell, Sample, free_cores
from harness.catalog import Catalog
from harness.engine import plan
from harness.engine.local import DEFAULT_LIMIT_S, LocalEngine
from harness.engine.trial import Trial
from harness.environment import NOT_ASKED, Environment
from harness.errors import UsageError
from harness.faults.selection import NO_FAULT
from harness.frameworks.overlap_load import KINDS, Kind, Load
from harness.scenario import Scenario

EXIT_DONE, EXIT_UNDECIDED = 0, 3
LIGHTNING = "lightning"
DOCUMENT = "parallel_validation"
REFERENCES = (REFERENCE, FLOOR)
SLEEPS = 16  # batches of an epoch of the load that sleeps
PROBED, PROBES = 30, 2  # batches and epochs by which other loads are calibrated
HANDED_OFF = (100_000, 1_000_000, 100_000_000)  # bytes of weights
HAND_OFF_S = 0.1  # in which every worker is done before the next weights come

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        loads: kinds of load.
        ratios: of the time that validating an epoch takes to that of training it.
        train_s: that training an epoch takes, more or less.
        long_epochs: of one more training, at ratio 1 on the load that sleeps; 0 for none.
        weights: bytes of weights whose hand-off is measured.
        limit_s: seconds that one training may take.
    """

    filters: tuple[str, ...] = (f"{DOCUMENT}/*",)
    device: str = "cpu"
    seed: int = 0
    rounds: int = 3
    loads: tuple[Kind, ...] = KINDS
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    epochs: int = 6
    train_s: float = 1.0
    long_epochs: int = 20
    weights: tuple[int, ...] = HANDED_OFF
    limit_s: float = DEFAULT_LIMIT_S
    only: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def short(filters: tuple[str, ...], device: str, seed: int, limit_s: float) -> Request:
    """What there is time for in every report: four strategies once, on one load."""
    return Request(
        filters, device, seed, rounds=1, loads=("sleep",), ratios=(1.0,), epochs=4, train_s=0.25, long_epochs=0,
        weights=(), limit_s=limit_s, only=(*REFERENCES, DOCUMENTED, PERSISTENT),
    )  # fmt: skip


@dataclass
class Overlap:
    """What was found so far.

    Attributes:
        left_out: by scenario, why it was not measured, or not to the end.
        missing: those of them that were to be measured here, and recommend themselves.
        cuda: why nothing can be measured on a GPU; empty if it can.
        memory: private bytes by scenario: `own` of the process that trains, and of its `workers`.
    """

    request: Request
    environment: str = ""
    cuda: str = ""
    cells: list[Cell] = field(default_factory=list)
    hand_offs: list[Cell] = field(default_factory=list)
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    interrupted: bool = False

    @property
    def samples(self) -> list[Sample]:
        return [each for cell in (*self.cells, *self.hand_offs) for found in cell.samples.values() for each in found]

    @property
    def comparable(self) -> bool:
        """Whether what the others are compared with can be measured, as far as is known."""
        return not set(REFERENCES) & set(self.left_out)

    @property
    def exit_code(self) -> int:
        """0 if strategies besides the two that they are compared with were measured to the end, and what is
        recommended among them; else 3."""
        measured = {scenario for cell in self.cells if cell.measured for scenario in cell.samples}
        done = measured - set(REFERENCES) and self.comparable and not self.missing and not self.interrupted
        return EXIT_DONE if done else EXIT_UNDECIDED

    def to_json(self) -> dict[str, Any]:
        cells = [cell.to_json() for cell in self.cells if cell.samples]
        hand_offs = [cell.to_json() for cell in self.hand_offs if cell.samples]
        return {
            "schema_version": 1,
            "harness_version": harness.__version__,
            "status": "interrupted" if self.interrupted else "complete",
            "environment": self.environment,
            "machine": {
                "platform": platform.platform(),
                "processors": os.cpu_count(),
                "cores": len(os.sched_getaffinity(0)),
                "free_cores": median(map(free_cores, self.samples)) if self.samples else None,
            },
            "arguments": self.request.to_json(),
            "cuda": self.cuda,
            "cells": cells,
            "hand_offs": hand_offs,
            "memory": [{"scenario": scenario, **found} for scenario, found in self.memory.items()],
            "claims": overlap_claims.decide(cells),
            "left_out": [{"scenario": scenario, "reason": reason} for scenario, reason in self.left_out.items()],
        }


def asked_for(catalog: Catalog, filters: Sequence[str]) -> bool:
    """Whether filters ask for what is measured here, and not for what `strategies` measures.

    Raises:
        UsageError: they ask for both, or are malformed.
    """
    if not filters:
        return False
    selected = catalog.select(filters)
    here = [scenario.id for scenario in selected if scenario.document == DOCUMENT]
    elsewhere = [scenario.id for scenario in selected if scenario.document != DOCUMENT]
    if here and elsewhere:
        raise UsageError(
            f"{here[0]} is measured in whole trainings, and {elsewhere[0]} step by step: ask for one, then the other"
        )
    return bool(here)


def execute(catalog: Catalog, request: Request, tell: Tell) -> Overlap:
    """Calibrate, then measure, in rounds over all loads and strategies. Ctrl-C ends it early, and what was measured is
    kept; so does a failure of what the others are compared with.

    Raises:
        HarnessError: no engine can be started here.
    """
    overlap = Overlap(request)
    with tempfile.TemporaryDirectory(prefix="epoch-harness-bench-") as name:
        try:
            with LocalEngine(LIGHTNING, limit_s=request.limit_s) as engine:
                environment = engine.environment()
                overlap.environment = environment.title
                overlap.cuda = environment.unavailable(LIGHTNING, "cuda")
                tell(overlap.environment)
                trials = _plan(overlap, catalog, environment)
                if overlap.comparable:
                    _measure(overlap, trials, Measurer(engine, Path(name), request.seed), tell)
        except KeyboardInterrupt:
            overlap.interrupted = True
    return overlap


def _plan(overlap: Overlap, catalog: Catalog, environment: Environment) -> dict[str, Trial]:
    """A trial of every scenario that is measured; the two that all are compared with are, whether asked for or not."""
    request = overlap.request
    environments = dict.fromkeys(catalog.frameworks((*request.filters, *REFERENCES)), NOT_ASKED)
    environments[LIGHTNING] = environment
    trials: dict[str, Trial] = {}
    for filters in (REFERENCES, request.filters):
        planned = plan.make(catalog, filters, request.device, request.seed, environments, NO_FAULT)
        for trial in planned.trials:
            trials.setdefault(trial.scenario, trial)
        for item in planned.unavailable:
            overlap.left_out.setdefault(item.scenario, item.reason)
    for id in sorted({*trials, *overlap.left_out} & set(catalog.scenarios)):
        scenario = catalog.scenarios[id]
        if scenario.framework != LIGHTNING or scenario.fit is None:
            overlap.left_out[id] = "it is no script of Lightning's Trainer, which is what is measured here"
        elif reason := _fails(scenario, environment):
            overlap.left_out[id] = reason
    if request.only:
        overlap.left_out = {id: reason for id, reason in overlap.left_out.items() if id in request.only}
        trials = {id: trial for id, trial in trials.items() if id in request.only}
    return {id: trial for id, trial in trials.items() if id not in overlap.left_out}


def _fails(scenario: Scenario, environment: Environment) -> str:
    """Why a scenario is not expected to train to its end here; empty if it is."""
    for expect in scenario.expects:
        if environment.meets(expect.needs):
            if expect.verdict == "raised":
                return f"it is expected to raise {expect.exception or 'an exception'}"
            if expect.checker == "process":
                return "its process is not expected to end well"
    return ""


def _measure(overlap: Overlap, trials: dict[str, Trial], measurer: Measurer, tell: Tell) -> None:
    request = overlap.request
    for kind in request.loads:
        each_batch = _seconds_per_batch(overlap, kind, trials[REFERENCE], measurer, tell)
        if each_batch is None:
            return
        overlap.cells += [_cell(kind, ratio, request, each_batch) for ratio in request.ratios]
    if request.long_epochs:
        each_batch = (request.train_s / SLEEPS,) * 2
        cell = _cell("sleep", 1.0, request, each_batch)
        cell.epochs, cell.only = request.long_epochs, (*REFERENCES, PERSISTENT)
        overlap.cells.append(cell)
    overlap.hand_offs = [
        Cell(
            "sleep", 0.1, 4, batches=2, validation_batches=1, train_s=HAND_OFF_S, validation_s=HAND_OFF_S / 5,
            weights_bytes=size, only=(*REFERENCES, DOCUMENTED, PERSISTENT),
        )
        for size in request.weights
    ]  # fmt: skip
    draw = random.Random(request.seed)
    for number in range(1, request.rounds + 1):
        for place, cell in enumerate(cells := [*overlap.cells, *overlap.hand_offs], 1):
            tell(f"round {number} of {request.rounds}, {place} of {len(cells)}: {_in_words(cell)}")
            strategies = [id for id in trials if id not in overlap.left_out and (not cell.only or id in cell.only)]
            for id in draw.sample(strategies, len(strategies)):
                _sample(overlap, cell, number, trials[id], measurer)
            _leave_out_what_disagrees(overlap, cell)
            if not overlap.comparable:
                return
    if request.weights:
        _remember(overlap, trials, measurer, tell)


def _in_words(cell: Cell) -> str:
    if cell.weights_bytes:
        return f"handing over {cell.weights_bytes / 1e6:g} MB"
    return f"{cell.kind} load, validation takes {cell.ratio:g} of training, {cell.epochs} epochs"


def _load(cell: Cell) -> Load:
    return Load(cell.kind, cell.epochs, cell.train_s, cell.validation_s, cell.weights_bytes)


def _sample(overlap: Overlap, cell: Cell, number: int, trial: Trial, measurer: Measurer) -> None:
    measured = measurer.measure_overlap(trial, _load(cell).to_measure(), cell.batches, cell.validation_batches)
    if measured.failure:
        _leave_out(overlap, trial.scenario, measured.failure)
        return
    cell.samples.setdefault(trial.scenario, []).append(Sample(number, measured.value, measured.outcome.left_behind))


def _leave_out(overlap: Overlap, scenario: str, reason: str) -> None:
    """From now on."""
    overlap.left_out[scenario] = reason
    if scenario.endswith("/recommended"):
        overlap.missing.add(scenario)


def _leave_out_what_disagrees(overlap: Overlap, cell: Cell) -> None:
    for scenario in cell.samples:
        if scenario not in overlap.left_out and cell.rounds(scenario) and (reason := cell.row(scenario)["reason"]):
            _leave_out(overlap, scenario, reason)


def _seconds_per_batch(
    overlap: Overlap, kind: Kind, trial: Trial, measurer: Measurer, tell: Tell
) -> tuple[float, float] | None:
    """Of training and of validation: what the load sleeps; of one that computes, as measured in the last epoch of a few
    batches. None if it cannot be."""
    if kind == "sleep":
        return overlap.request.train_s / SLEEPS, overlap.request.train_s / SLEEPS
    tell(f"calibrating the {kind} load")
    measured = measurer.measure_overlap(trial, Load(kind, PROBES).to_measure(), PROBED, PROBED)
    if measured.failure:
        overlap.left_out[trial.scenario] = measured.failure
        return None
    train, validation = measured.value["train"][-1], measured.value["validation"][-1]
    return (train[1] - train[0]) / PROBED, (validation["end_s"] - validation["start_s"]) / PROBED


def _cell(kind: Kind, ratio: float, request: Request, each_batch: Sequence[float]) -> Cell:
    train_s, validation_s = each_batch
    asleep = (train_s, validation_s) if kind == "sleep" else (0.0, 0.0)
    batches, validation_batches = (
        max(1, round(seconds / one))
        for seconds, one in ((request.train_s, train_s), (ratio * request.train_s, validation_s))
    )
    return Cell(kind, ratio, request.epochs, batches, validation_batches, *asleep)


def _remember(overlap: Overlap, trials: dict[str, Trial], measurer: Measurer, tell: Tell) -> None:
    """Look at the memory of every strategy, once, in a training that is not timed."""
    tell("memory")
    for id, trial in trials.items():
        if id not in overlap.left_out:
            load = Load("sleep", 3, HAND_OFF_S, HAND_OFF_S, watch_memory=True)
            measured = measurer.measure_overlap(trial, load.to_measure(), 2, 2)
            if not measured.failure:
                overlap.memory[id] = measured.value["memory"]
