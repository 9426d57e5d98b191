"""Which trials a request amounts to, and which cannot run here, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby

from harness.catalog import Catalog, declared_workloads, is_file, split_filter
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.errors import UsageError
from harness.faults.fault import NONE
from harness.faults.library import EVERY_FAULT, Faults, Schedule
from harness.scenario import Scenario
from harness.workloads import library, written_out


@dataclass(frozen=True)
class Unavailable:
    """A trial that was asked for and cannot run here."""

    scenario: str
    workload: str
    device: str
    reason: str
    fault: str = NONE


@dataclass(frozen=True)
class Plan:
    trials: tuple[Trial, ...]
    unavailable: tuple[Unavailable, ...]


@dataclass(frozen=True)
class Asked:
    """A trial that was asked for, whether it can run here or not."""

    scenario: Scenario
    workload: str
    fault: str = NONE
    faults: Schedule = ()


def asked(catalog: Catalog, filters: Sequence[str], faults: Faults = EVERY_FAULT) -> list[Asked]:
    """Every trial that filters ask for, whether it can run here or not; ordered by scenario, workload and fault.

    Raises:
        UsageError: a filter is malformed or matches nothing.
        ScenarioError: a selected scenario names no workload that there is.
    """
    found = [
        Asked(each, workload, fault, schedule)
        for each in catalog.select(filters)
        for workload in workloads_of(each, filters)
        for fault, schedule in faults.of(each).items()
    ]
    for text in filters:
        held_back = any(missing.may_hold(text) for missing in catalog.unreadable)
        if not held_back and not any(_asks_for(text, each.scenario.id, each.workload) for each in found):
            raise UsageError(f"no workload matches {text}; the workloads are: {', '.join(library.NAMES)}")
    return found


def make(
    catalog: Catalog,
    filters: Sequence[str],
    device: str,
    seed: int,
    environments: dict[str, Environment],
    faults: Faults = EVERY_FAULT,
) -> Plan:
    """Expand filters to trials, ordered by scenario, workload and fault.

    Args:
        device: `cpu`, `cuda`, or `auto` (cuda where there is one).
        environments: by framework.

    Raises:
        UsageError, ScenarioError: as `asked`.
    """
    trials, unavailable = [], []
    for scenario, wanted in groupby(asked(catalog, filters, faults), key=lambda each: each.scenario):
        environment = environments[scenario.framework]
        placed = resolve_device(device, environment)
        reason = environment.unavailable(scenario.framework, placed) or environment.unmet(scenario.needs)
        if scenario.ranks > 1 and (placed == "cuda" or scenario.framework == "torch"):
            reason = reason or "several ranks run in Lightning and Keras on the CPU only, so far"
        for each in wanted:
            beyond = library.recipe(each.workload).beyond(scenario.framework)
            told = reason or (beyond and f"{scenario.framework} trials do not heed its {' or '.join(beyond)}, so far")
            if told:
                unavailable.append(Unavailable(scenario.id, each.workload, placed, told, each.fault))
            else:
                trials.append(
                    Trial(
                        scenario.id,
                        scenario.locator,
                        scenario.framework,
                        each.workload,
                        placed,
                        seed,
                        fault=each.fault,
                        faults=each.faults,
                        precision=library.recipe(each.workload).precision,
                        ranks=scenario.ranks,
                        record=scenario.record.file if scenario.record else "",
                        resumed=bool(scenario.resume_from),
                    )
                )
    for missing in catalog.unreadable:
        if not filters or any(missing.may_hold(text) for text in filters):
            unavailable.append(Unavailable(missing.id, "*", device, missing.reason))
    return Plan(tuple(trials), tuple(unavailable))


def resolve_device(device: str, environment: Environment) -> str:
    if device != "auto":
        return device
    return "cuda" if environment.found["cuda"]["available"] else "cpu"


def _asks_for(text: str, scenario: str, workload: str) -> bool:
    if is_file(text):  # which the catalog has seen to
        return True
    pattern, wanted = split_filter(text)
    return fnmatchcase(scenario, pattern) and fnmatchcase(workload, wanted)


def workloads_of(scenario: Scenario, filters: Sequence[str]) -> list[str]:
    """The workloads that a scenario declares, narrowed by those filters that name it and a workload.

    A workload that a filter writes out is not listed anywhere: it is taken if the scenario's globs admit it.
    """
    globs = [
        workload
        for pattern, workload in (split_filter(text) for text in filters if not is_file(text))
        if fnmatchcase(scenario.id, pattern)
    ] or ["*"]
    added = [
        text
        for text in globs
        if written_out.is_written_out(text) and any(fnmatchcase(text, glob) for glob in scenario.workloads)
    ]
    listed = [name for name in declared_workloads(scenario) if any(fnmatchcase(name, glob) for glob in globs)]
    return [*listed, *dict.fromkeys(added)]
