"""Runs single trials of the project's scenarios in one warm engine, with a change planted in them if asked for."""

import pkgutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import scenarios
from harness import scenario_files
from harness.catalog import Catalog
from harness.engine import plan
from harness.engine.local import Engines, Job
from harness.environment import Environment, together
from harness.faults.fault import NONE
from harness.findings import Finding
from harness.run import judge_outcome
from harness.workloads import library

DEVICE = "cpu"
# Scenarios that are only for these tests.
FILES = sorted(Path(__file__).parent.glob("*/scenario_*.py"))


@dataclass(frozen=True)
class Tried:
    """What came of a trial: the findings, and what its process printed."""

    findings: list[Finding]
    output: str

    @property
    def unexpected(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.as_expected]


def all_scenarios() -> Catalog:
    """The project's own, whether it is installed or not, and those of `FILES`."""
    catalog = Catalog()
    for module in pkgutil.walk_packages(scenarios.__path__, "scenarios."):
        catalog.add(module.name)
    for path in FILES:
        catalog.add(scenario_files.locator_of(path))
    return catalog


class Laboratory:
    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.catalog = all_scenarios()
        self.environment: Environment = together(engines.environments)

    def run(self, on: str, prelude: str = "", seed: int = 0) -> Tried:
        """One trial on `scenario@workload`, or under a fault on `scenario@workload#fault`; skipped, with the reason,
        where it is not available."""
        filter, _, fault = on.partition("#")
        planned = plan.make(self.catalog, (filter,), DEVICE, seed, self.engines.environments)
        if planned.unavailable:
            pytest.skip(planned.unavailable[0].reason)
        (trial,) = (trial for trial in planned.trials if trial.fault == (fault or NONE))
        workload = library.build(trial.workload, seed)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            workload.save(folder / "workload.npz")
            job = Job(replace(trial, prelude=prelude), folder / "workload.npz", folder / "history", folder / "output")
            (outcome,) = self.engines.run([job])
            findings, _ = judge_outcome(outcome, self.catalog, workload, job.history, self.environment)
            return Tried(findings, job.output.read_text())

    def command(self, on: str, seed: int = 0) -> str:
        """What runs the same trial again, from the project's folder."""
        filter, _, fault = on.partition("#")
        scenario, _, _ = filter.partition("@")
        path = scenario_files.path_of(self.catalog.scenarios[scenario].locator)
        asked = f"'{filter}' --fault {fault or NONE} --device {DEVICE} --seed {seed}"
        return " ".join(["epoch-harness run", *([path] if path else []), asked])
