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
from harness.engine.local import Engines, Job, Outcome
from harness.engine.trial import Trial
from harness.environment import Environment, together
from harness.faults.fault import NONE
from harness.faults.selection import Faults
from harness.findings import Finding
from harness.history.reader import History
from harness.judging import References, judge_outcome
from harness.workloads import library

DEVICE = "cpu"
# Scenarios that are only for these tests.
FILES = sorted(Path(__file__).parent.glob("*/scenario_*.py"))


@dataclass(frozen=True)
class Tried:
    """What came of a trial: the findings, what its process printed, how that ended, and its history."""

    findings: list[Finding]
    output: str
    outcome: Outcome
    history: History

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
        self._references: dict[int, References] = {}  # by seed: what others are to be the same as

    def run(
        self,
        on: str,
        prelude: str = "",
        seed: int = 0,
        faults: Faults | None = None,
        ranks: int | None = None,
        limit_s: float | None = None,
    ) -> Tried:
        """One trial on `scenario@workload`, or under a fault on `scenario@workload#fault`; skipped, with the reason,
        where it is not available.

        Args:
            faults: those of a schedule that has no name.
            ranks: on how many; None for as many as the scenario declares.
            limit_s: seconds that it may take; None for what the scenario says.
        """
        filter, _, fault = on.partition("#")
        selected = faults or Faults((fault or NONE,))
        numbers = () if ranks is None else (ranks,)
        planned = plan.make(self.catalog, (filter,), DEVICE, seed, self.engines.environments, selected, numbers)
        if planned.unavailable:
            pytest.skip(planned.unavailable[0].reason)
        *references, trial = planned.trials
        known = self._references.setdefault(seed, {})
        for each in references:
            if (each.scenario, each.workload, each.ranks) not in known:
                self._judged(each, seed, known)
        limited = replace(trial, prelude=prelude, limit_s=limit_s or trial.limit_s)
        return self._judged(limited, seed, {**known})

    def _judged(self, trial: Trial, seed: int, references: References) -> Tried:
        workload = library.build(trial.workload, seed)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            workload.save(folder / "workload.npz")
            job = Job(trial, folder / "workload.npz", folder / "history", folder / "output")
            (outcome,) = self.engines.run([job])
            judged = judge_outcome(outcome, self.catalog, workload, job.history, self.environment, references)
            return Tried(judged.findings, job.output.read_text(), outcome, judged.history)

    def command(self, on: str, seed: int = 0, ranks: int | None = None) -> str:
        """What runs the same trial again, from the project's folder."""
        filter, _, fault = on.partition("#")
        scenario, _, _ = filter.partition("@")
        path = scenario_files.path_of(self.catalog.scenarios[scenario].locator)
        number = "" if ranks is None else f" --ranks {ranks}"
        asked = f"'{filter}' --fault {fault or NONE} --device {DEVICE} --seed {seed}{number}"
        return " ".join(["epoch-harness run", *([path] if path else []), asked])
