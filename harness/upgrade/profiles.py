"""Which trials an upgrade is held against: all of them, or the smallest that show each observable."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from harness.engine.plan import Asked
from harness.engine.trial import Trial
from harness.faults.fault import NONE
from harness.faults.loader import BLOCKING
from harness.workloads.workload import Workload

PROFILES = QUICK, FULL = "quick", "full"
DEFAULT_BUDGET_S = 240.0  # that timing may take, which the full profile has after its trials
MOST_STEPS = 150  # of a trial of the quick profile
# Of the whole catalogue, the quick profile goes without what other documents show in a fraction of the time: whole
# trainings with processes of their own, and more ways to aggregate over ranks. Patterns of one file are variations of
# one thing.
LEFT_OUT = ("parallel_validation", "ranks")
MOST_OF_A_FILE = 2


def chosen(
    profile: str, asked: Sequence[Asked], workloads: Mapping[str, Workload], every_pattern: bool = False
) -> Callable[[Trial], bool]:
    """Whether a trial is one of the profile's. `quick`: of a few patterns of each file one scenario each, on its
    smallest workload, without a fault; one of each family of faults, where it is cheapest; and what any of those is the
    same as.

    Args:
        every_pattern: of what was asked for by name, say: none is left out for being one of many, or long.
    """
    if profile == FULL:
        return lambda _: True
    smallest: dict[str, Asked] = {}
    families: dict[str, Asked] = {}
    for each in asked:
        long = _steps(workloads[each.workload]) > MOST_STEPS or each.scenario.document in LEFT_OUT
        if long and not every_pattern:
            continue
        if each.fault == NONE:
            _keep_smaller(smallest, each.scenario.pattern, each, workloads)
        elif every_pattern or not each.fault.startswith(tuple(BLOCKING)):
            _keep_smaller(families, each.fault.split(".")[0], each, workloads)
    patterns = [*smallest.values()] if every_pattern else [*_few_of_each_file(smallest.values())]
    few = (*patterns, *families.values())
    wanted = {(each.scenario.id, each.workload, each.fault) for each in few}
    wanted |= {(each.scenario.same_as, each.workload, NONE) for each in few if each.scenario.same_as}
    return lambda trial: (trial.scenario, trial.workload, trial.fault) in wanted


def _few_of_each_file(asked: Iterable[Asked]) -> Iterator[Asked]:
    """On as many different workloads as there are."""
    files: dict[str, list[Asked]] = {}
    for each in asked:
        files.setdefault(each.scenario.locator, []).append(each)
    for of_file in files.values():
        on = [each.workload for each in of_file]
        seen_before = {each.scenario.id: on[:place].count(each.workload) for place, each in enumerate(of_file)}
        yield from sorted(of_file, key=lambda each: seen_before[each.scenario.id])[:MOST_OF_A_FILE]


def _keep_smaller(kept: dict[str, Asked], name: str, asked: Asked, workloads: Mapping[str, Workload]) -> None:
    if name not in kept or _steps(workloads[asked.workload]) < _steps(workloads[kept[name].workload]):
        kept[name] = asked


def _steps(workload: Workload) -> int:
    """How many batches a trial goes through, at most."""
    loaders = (*workload.loaders_of("train"), *workload.loaders_of("validation"))
    return workload.schedule.epochs * sum(len(batches) for batches in loaders)
