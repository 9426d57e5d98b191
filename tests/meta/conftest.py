"""Runs trials with a change planted in them."""

import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import scenarios
from harness import scenario_files
from harness.catalog import Catalog
from harness.engine import plan
from harness.engine.local import Engines, Job, engines
from harness.environment import Environment, together
from harness.findings import Finding
from harness.run import judge_outcome
from harness.workloads import library

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # for `changes` and `planting`, which the files of changes import here as they do in a trial

DEVICE, SEED = "cpu", 0


@dataclass(frozen=True)
class Tried:
    """What came of a trial: the findings, and what its process printed."""

    findings: list[Finding]
    output: str

    @property
    def unexpected(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.as_expected]


def all_scenarios() -> Catalog:
    """The project's own, whether it is installed or not, and those that are only for these tests."""
    catalog = Catalog()
    for module in pkgutil.walk_packages(scenarios.__path__, "scenarios."):
        catalog.add(module.name)
    catalog.add(scenario_files.locator_of(HERE / "scenario_nan.py"))
    return catalog


class Laboratory:
    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.catalog = all_scenarios()
        self.environment: Environment = together(engines.environments)

    def run(self, on: str, folder: Path, prelude: str = "") -> Tried:
        """One trial on `scenario@workload`; skipped, with the reason, where it is not available."""
        planned = plan.make(self.catalog, (on,), DEVICE, SEED, self.engines.environments)
        if planned.unavailable:
            pytest.skip(planned.unavailable[0].reason)
        (trial,) = planned.trials
        workload = library.build(trial.workload, SEED)
        workload.save(folder / "workload.npz")
        job = Job(replace(trial, prelude=prelude), folder / "workload.npz", folder / "history", folder / "output")
        (outcome,) = self.engines.run([job])
        return Tried(
            judge_outcome(outcome, self.catalog, workload, job.history, self.environment), job.output.read_text()
        )


@pytest.fixture(scope="session")
def laboratory() -> Iterator[Laboratory]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        with engines(["keras", "lightning"]) as warm:
            yield Laboratory(warm)
