"""What is found of a trial that has ended: where the run is, or on the worker of a cluster that carried it out."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness import counters, scenario_files
from harness.catalog import Catalog
from harness.checkers import judge
from harness.checkers.case import Case
from harness.engine.local import Outcome
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.errors import UsageError
from harness.faults.fault import NONE
from harness.findings import Finding
from harness.history import reader
from harness.history.reader import History
from harness.scenario import Scenario
from harness.workloads import own_data
from harness.workloads.workload import Workload

References = dict[tuple[str, str, int], Case]  # by scenario, workload and ranks


@dataclass(frozen=True)
class Judged:
    """A trial that has ended, and what was found of it.

    Attributes:
        counters: exact ones (`harness.counters`); None of a history that cannot be read: that is not the same as zero.
        path: of the history.
    """

    trial: Trial
    findings: list[Finding]
    counters: dict[str, int] | None
    path: Path
    _history: History | None = None  # as it was read when it was judged here

    @property
    def history(self) -> History:
        """Without an operation if it cannot be read, which is a finding."""
        return _read(self.path)[0] if self._history is None else self._history


def judge_outcome(
    outcome: Outcome,
    catalog: Catalog,
    workload: Workload,
    history: Path,
    environment: Environment,
    references: References | None = None,
) -> Judged:
    """All findings of one trial that has ended. A history that cannot be read is one, `unknown`.

    Args:
        references: what others may be the same as, of the trials judged so far; this one is added to them.
    """
    if isinstance(outcome.judged, Judged):
        return replace(outcome.judged, path=history)
    references = {} if references is None else references
    trial, scenario = outcome.trial, catalog.scenarios[outcome.trial.scenario]
    case, damage = _case(
        trial, scenario, workload, history, environment, references.get((scenario.same_as, trial.workload, trial.ranks))
    )
    if trial.fault == NONE and scenario.id in catalog.references:
        references[scenario.id, trial.workload, trial.ranks] = case
    return _judge(case, damage, history)


def where_it_ran(catalog: Catalog, trial: Trial, environment: Environment) -> Any:
    """What a worker elsewhere is to do with a trial (`Job.judge`); None if it takes other trials to judge it."""
    scenario = catalog.scenarios[trial.scenario]
    if scenario.same_as or scenario.id in catalog.references:
        return None
    return partial(_judge_there, environment=environment)


def _judge_there(outcome: Outcome, workload: Path, history: Path, environment: Environment) -> Judged:
    scenarios, _ = scenario_files.load(outcome.trial.locator)
    scenario = next(each for each in scenarios if each.id == outcome.trial.scenario)
    case, damage = _case(outcome.trial, scenario, Workload.load(workload), history, environment, None)
    return replace(_judge(case, damage, history), _history=None)


def _case(
    trial: Trial, scenario: Scenario, workload: Workload, history: Path, environment: Environment,
    reference: Case | None,
) -> tuple[Case, str]:  # fmt: skip
    """And why its history cannot be read; empty if it can."""
    read, damage = _read(history)
    if scenario.data:
        workload = own_data.seen(scenario, read)
    return Case(trial, scenario, workload, read, environment, reference), damage


def _judge(case: Case, damage: str, history: Path) -> Judged:
    if damage:
        found = [case.property_finding("history", "*", "unknown", message=damage)]
        return Judged(case.trial, found, None, history, case.history)
    return Judged(case.trial, judge(case), counters.count(case.history), history, case.history)


def _read(path: Path) -> tuple[History, str]:
    try:
        return reader.read(path), ""
    except UsageError as error:
        return History(()), str(error)
