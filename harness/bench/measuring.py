"""Has a trial process of the warm engine measure one scenario, and reads what it found."""

import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.engine.engines import Engine
from harness.engine.local import Job, LocalEngine, Outcome
from harness.engine.trial import Trial
from harness.history import reader
from harness.workloads import library
from harness.workloads.workload import Workload

DATASET = "digits"
BATCH = 32


@dataclass(frozen=True)
class Measured:
    """What one process measured; `failure` says why there is nothing, and is empty if there is something."""

    outcome: Outcome
    value: dict[str, Any]
    failure: str


class Measurer:
    """Measures in processes of an engine; their files go into a new folder below `folder`."""

    def __init__(self, engine: LocalEngine | Engine, folder: Path, seed: int) -> None:
        self._engine = engine
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        self._seed = seed
        self._made = 0

    def measure(self, requests: Sequence[tuple[Trial, str, int]]) -> Generator[Measured, None, None]:
        """For each trial, measure (`MEASURES` of its framework) and number of batches, in order."""
        yield from self._measure([self._job(*request) for request in requests])

    def measure_overlap(self, trial: Trial, measure: str, batches: int, validation: int) -> Measured:
        """As `measure`, of a training that validates, on so many batches."""
        return next(self._measure([self._job(trial, measure, batches, validation)]))

    def _measure(self, jobs: Sequence[Job]) -> Generator[Measured, None, None]:
        for job, outcome in zip(jobs, self._engine.run(jobs), strict=True):
            measured = reader.read(job.history).first("measured")
            if measured is None:
                yield Measured(outcome, {}, failure(job.history, outcome))
            else:
                yield Measured(outcome, measured.value, "")

    def _job(self, trial: Trial, measure: str, batches: int, validation: int = 1) -> Job:
        workload = self._folder / f"{DATASET}-{batches}-{validation}.npz"
        if not workload.exists():
            many_batches(batches, self._seed, validation).save(workload)
        self._made += 1
        asked = Trial(
            trial.scenario, trial.locator, trial.framework, workload.stem, trial.device, trial.seed, measure=measure
        )
        place = self._folder / str(self._made)
        return Job(asked, workload, place.with_suffix(".jsonl"), place.with_suffix(".txt"))


def failure(history: Path, outcome: Outcome) -> str:
    """In words, how a trial ended that did not end well."""
    failed = reader.read(history).first("trial", "fail")
    if failed is None:
        return f"its process ended with status {outcome.status}"
    return f"it raises {failed.value['exception']}: {' '.join(failed.value['message'].split())}"


def many_batches(batches: int, seed: int, validation: int = 1) -> Workload:
    """Full batches, for which samples are used again if need be; validation gets the first of the same samples."""
    task, features, targets = library.DATASETS[DATASET]()
    order = np.random.default_rng(seed).permutation(len(features))
    train, validated = (
        tuple(tuple(map(int, ids)) for ids in np.resize(order, (count, BATCH))) for count in (batches, validation)
    )
    return Workload(f"{DATASET}/{batches}_batches", task, features, targets, train, validated)
