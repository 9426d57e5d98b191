"""Which trials an upgrade is held against: all of them, or the smallest that show each observable."""

from collections.abc import Callable, Mapping, Sequence

from harness.engine.plan import Asked
from harness.engine.trial import Trial
from harness.faults.fault import NONE
from harness.faults.loader import BLOCKING
from harness.workloads.workload import Workload

PROFILES = QUICK, FULL = "quick", "full"
DEFAULT_BUDGET_S = 240.0  # that timing may take, which the full profile has after its trials
MOST_STEPS = 150  # of a trial of the quick profile
# Whole trainings, with processes of their own: what they show of Lightning, others show in a tenth of the time.
LEFT_OUT = "parallel_validation"


def chosen(profile: str, asked: Sequence[Asked], workloads: Mapping[str, Workload]) -> Callable[[Trial], bool]:
    """Whether a trial is one of the profile's. `quick`: of each pattern one scenario, on its smallest workload, without
    a fault; and one of each family of faults, where it is cheapest."""
    if profile == FULL:
        return lambda _: True
    smallest: dict[str, Asked] = {}
    families: dict[str, Asked] = {}
    for each in asked:
        if each.scenario.document == LEFT_OUT or _steps(workloads[each.workload]) > MOST_STEPS:
            continue
        if each.fault == NONE:
            _keep_smaller(smallest, each.scenario.pattern, each, workloads)
        elif not any(each.fault.startswith(slow) for slow in BLOCKING):
            _keep_smaller(families, each.fault.split(".")[0], each, workloads)
    wanted = {(each.scenario.id, each.workload, each.fault) for each in (*smallest.values(), *families.values())}
    return lambda trial: (trial.scenario, trial.workload, trial.fault) in wanted


def _keep_smaller(kept: dict[str, Asked], name: str, asked: Asked, workloads: Mapping[str, Workload]) -> None:
    if name not in kept or _steps(workloads[asked.workload]) < _steps(workloads[kept[name].workload]):
        kept[name] = asked


def _steps(workload: Workload) -> int:
    """How many batches a trial goes through, at most."""
    loaders = (*workload.loaders_of("train"), *workload.loaders_of("validation"))
    return workload.schedule.epochs * sum(len(batches) for batches in loaders)
