"""Which trials a request amounts to, and which cannot run here, each with its reason."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby

from harness.catalog import Catalog, is_file, split_filter, workloads_of
from harness.engine import placing
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.errors import ScenarioError, UsageError
from harness.faults.fault import NONE
from harness.faults.library import Schedule
from harness.faults.selection import EVERY_FAULT, Faults
from harness.scenario import Scenario
from harness.workloads import library

RANKED = ("lightning", "keras")  # frameworks that run on as many ranks as are asked for


@dataclass(frozen=True)
class Unavailable:
    """A trial that was asked for and cannot run here."""

    scenario: str
    workload: str
    device: str
    reason: str
    fault: str = NONE
    ranks: int = 1


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
    ranks: int = 1


def asked(
    catalog: Catalog, filters: Sequence[str], faults: Faults = EVERY_FAULT, ranks: Sequence[int] = ()
) -> list[Asked]:
    """Every trial that filters ask for, whether it can run here or not; ordered by scenario, workload, fault and ranks.
    Those that others are to be the same as (`same_as`) come first, asked for or not.

    Args:
        ranks: on how many each scenario is to run; empty for as many as it declares.

    Raises:
        UsageError: a filter is malformed or matches nothing; no selected scenario runs under a fault that is asked for;
            no workload can be shared by as many ranks.
        ScenarioError: a selected scenario names no workload that there is, or is to be the same as one that there is
            not, or that does not run on a workload of its own.
    """
    selected = catalog.select(filters)
    places = [(each, workload) for each in selected for workload in workloads_of(each, filters)]
    for text in filters:
        held_back = any(missing.may_hold(text) for missing in catalog.unreadable)
        if not held_back and not any(_asks_for(text, each.id, workload) for each, workload in places):
            raise UsageError(f"no workload matches {text}; the workloads are: {', '.join(library.NAMES)}")
    if not catalog.holds_back(filters):
        faults.check(selected)
    wanted = [
        Asked(each, workload, fault, schedule, number)
        for each, workload in places
        for fault, schedule in faults.of(each, workload).items()
        for number in ranks or (each.ranks,)
    ]
    if ranks:
        _check_ranks(wanted)
    references = _references(catalog, wanted)
    return [*references, *(each for each in wanted if each not in references)]


def _check_ranks(wanted: Sequence[Asked]) -> None:
    """Raises:
    UsageError: no workload can be shared by as many.
    """
    too_many = [
        placing.too_many(each.workload, each.ranks, each.scenario.framework)
        for each in wanted
        if each.scenario.framework in RANKED
    ]
    if too_many and all(too_many):
        raise UsageError(f"more ranks than batches: {too_many[0]}")


def _references(catalog: Catalog, wanted: Sequence[Asked]) -> list[Asked]:
    """What the trials that are wanted are to be the same as, each once, scenario by scenario."""
    found = {
        (each.scenario.same_as, each.workload, each.ranks): Asked(
            _reference(catalog, each), each.workload, ranks=each.ranks
        )
        for each in wanted
        if each.scenario.same_as in catalog.scenarios or (each.scenario.same_as and not catalog.unreadable)
    }
    return [found[key] for key in sorted(found)]


def _reference(catalog: Catalog, asked: Asked) -> Scenario:
    here, id = asked.scenario.declared_at, asked.scenario.same_as
    if id not in catalog.scenarios:
        raise ScenarioError(f"{here}: same_as names {id}, and there is no such scenario{catalog.hint(id)}")
    reference = catalog.scenarios[id]
    if not any(fnmatchcase(asked.workload, glob) for glob in reference.workloads):
        raise ScenarioError(f"{here}: same_as names {id}, which does not run on {asked.workload}")
    return reference


def make(
    catalog: Catalog,
    filters: Sequence[str],
    device: str,
    seed: int,
    environments: dict[str, Environment],
    faults: Faults = EVERY_FAULT,
    ranks: Sequence[int] = (),
) -> Plan:
    """Expand filters to trials, ordered by scenario, workload, fault and ranks.

    Args:
        device: `cpu`, `cuda`, or `auto` (cuda where there is one).
        environments: by framework.
        ranks: as of `asked`.

    Raises:
        UsageError, ScenarioError: as `asked`; or two trials go by the same name.
    """
    trials, unavailable = [], []
    for scenario, wanted in groupby(asked(catalog, filters, faults, ranks), key=lambda each: each.scenario):
        environment = environments[scenario.framework]
        placed = resolve_device(device, environment)
        reason = (
            environment.unavailable(scenario.framework, placed)
            or environment.unmet(scenario.needs)
            or environment.lacks_gpus(scenario.gpus, placed)
        )
        for each in wanted:
            told = reason
            if each.ranks > 1 and scenario.framework not in RANKED:
                told = told or "several ranks run in Lightning and Keras only, so far"
            if each.ranks > 1 and placed == "cuda":
                told = told or environment.lacks_gpus(each.ranks, placed)
            if beyond := library.recipe(each.workload).beyond(scenario.framework):
                told = told or f"{scenario.framework} trials do not heed its {' or '.join(beyond)}, so far"
            if scenario.fit and library.recipe(each.workload).schedule.stopped_at:
                told = told or "a script of its own is not resumed"
            told = told or placing.hindrance(scenario, each.workload, each.fault, each.ranks)
            if told:
                unavailable.append(Unavailable(scenario.id, each.workload, placed, told, each.fault, each.ranks))
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
                        ranks=each.ranks,
                        record=scenario.record.file if scenario.record else "",
                        resumed=bool(scenario.resume_from),
                        limit_s=scenario.limit_s,
                    )
                )
    for missing in catalog.unreadable:
        if missing.may_be_meant(filters):
            unavailable.append(Unavailable(missing.id, "*", device, missing.reason))
    _check_names(trials)
    return Plan(tuple(trials), tuple(unavailable))


def _check_names(trials: Iterable[Trial]) -> None:
    named: dict[str, Trial] = {}
    for trial in trials:
        if (other := named.setdefault(trial.id, trial)) is not trial:
            raise ScenarioError(
                f"{other.scenario} on {other.workload} and {trial.scenario} on {trial.workload} would write the same "
                f"files, {trial.id}.*: give one another pattern"
            )


def resolve_device(device: str, environment: Environment) -> str:
    if device != "auto":
        return device
    return "cuda" if environment.found["cuda"]["available"] else "cpu"


def _asks_for(text: str, scenario: str, workload: str) -> bool:
    if is_file(text):  # which the catalog has seen to
        return True
    pattern, wanted = split_filter(text)
    return fnmatchcase(scenario, pattern) and fnmatchcase(workload, wanted)
