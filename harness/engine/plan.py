"""Which trials a request amounts to, and which cannot run here, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.catalog import Catalog, is_file, split_filter
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.errors import ScenarioError, UsageError
from harness.scenario import Scenario
from harness.workloads import library, written_out


@dataclass(frozen=True)
class Unavailable:
    """A trial that was asked for and cannot run here."""

    scenario: str
    workload: str
    device: str
    reason: str


@dataclass(frozen=True)
class Plan:
    trials: tuple[Trial, ...]
    unavailable: tuple[Unavailable, ...]


def make(
    catalog: Catalog, filters: Sequence[str], device: str, seed: int, environments: dict[str, Environment]
) -> Plan:
    """Expand filters to trials, ordered by scenario and workload.

    Args:
        device: `cpu`, `cuda`, or `auto` (cuda where there is one).
        environments: by framework.

    Raises:
        UsageError: a filter is malformed or matches nothing.
        ScenarioError: a selected scenario names no workload that there is.
    """
    trials, unavailable = [], []
    selected = catalog.select(filters)
    for scenario in selected:
        environment = environments[scenario.framework]
        placed = resolve_device(device, environment)
        reason = environment.unavailable(scenario.framework, placed) or environment.unmet(scenario.needs)
        if scenario.ranks > 1 and (placed == "cuda" or scenario.framework != "lightning"):
            reason = reason or "several ranks run in Lightning on the CPU only, so far"
        for workload in workloads_of(scenario, filters):
            beyond = library.recipe(workload).beyond(scenario.framework)
            if reason or beyond:
                told = reason or f"{scenario.framework} trials do not heed its {' or '.join(beyond)}, so far"
                unavailable.append(Unavailable(scenario.id, workload, placed, told))
            else:
                trials.append(
                    Trial(
                        scenario.id,
                        scenario.locator,
                        scenario.framework,
                        workload,
                        placed,
                        seed,
                        precision=library.recipe(workload).precision,
                        ranks=scenario.ranks,
                    )
                )
    for missing in catalog.unreadable:
        if not filters or any(missing.may_hold(text) for text in filters):
            unavailable.append(Unavailable(missing.id, "*", device, missing.reason))
    found = [(trial.scenario, trial.workload) for trial in trials]
    found += [(missing.scenario, missing.workload) for missing in unavailable]
    for text in filters:
        held_back = any(missing.may_hold(text) for missing in catalog.unreadable)
        if not held_back and not any(_asks_for(text, *each) for each in found):
            raise UsageError(f"no workload matches {text}; the workloads are: {', '.join(library.NAMES)}")
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
    declared = [name for name in library.NAMES if any(fnmatchcase(name, glob) for glob in scenario.workloads)]
    if not declared:
        raise ScenarioError(
            f"{scenario.declared_at}: scenario {scenario.id} runs on no workload: {', '.join(scenario.workloads)}; "
            f"the workloads are: {', '.join(library.NAMES)}"
        )
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
    listed = [name for name in declared if any(fnmatchcase(name, glob) for glob in globs)]
    return [*listed, *dict.fromkeys(added)]
