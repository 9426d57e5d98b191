"""Whether faults can come about where they are aimed: in a scenario, and in the epochs and batches of a workload."""

from collections.abc import Iterator
from difflib import get_close_matches

from harness.faults.fault import FAMILIES, KINDS, Fault
from harness.faults.library import Schedule, unheeded
from harness.scenario import Scenario
from harness.workloads.schedule import limited
from harness.workloads.workload import Workload

ENDS = ("loader.runs_dry", "loader.never_ends")
Misfit = tuple[str, str]  # the attribute of a fault that is at odds, empty for the fault as a whole, and why


def misfits(schedule: Schedule, scenario: Scenario, workload: Workload) -> Iterator[tuple[int, str, str]]:
    """What keeps a schedule from being injected, as the fault's place in it and its `Misfit`."""
    for index, fault in enumerate(schedule):
        for attribute, why in _misfits(fault, scenario, workload):
            yield index, attribute, why
        if fault in schedule[:index]:
            yield index, "", f"this fault is there already, as number {schedule.index(fault)}"
        elif other := _says_another_length(fault, schedule[:index]):
            yield index, "kind", f"{other.name} has the same loader say another length"
        elif fault.name in ENDS and any(each.name in ENDS and each.stage == fault.stage for each in schedule[:index]):
            yield index, "kind", "a loader either never ends or runs dry"


def _misfits(fault: Fault, scenario: Scenario, workload: Workload) -> Iterator[Misfit]:
    unknown = _unknown(fault)
    if unknown:
        yield unknown
        return
    rules = fault.rules
    if fault.stage not in rules.stages:
        yield "stage", f"{fault.name} can be aimed at {' and '.join(rules.stages)} only"
        return
    if fault.rank >= scenario.ranks:
        yield "rank", f"{scenario.id} has {scenario.ranks} ranks, counted from 0"
    elif why := unheeded((fault,), scenario.framework, scenario.ranks):
        yield "kind", why
    for name in sorted(set(fault.parameters) - set(rules.parameters)):
        yield f"parameters.{name}", f"{fault.name} takes {', '.join(rules.parameters) or 'no parameters'}"
    if workload.schedule.stopped_at is not None:
        yield "", f"training on {workload.name} is stopped and resumed, and nothing can be injected into that, so far"
    yield from _misplaced(fault, scenario, workload)


def _says_another_length(fault: Fault, before: Schedule) -> Fault | None:
    said = [other for other in before if (other.family, other.kind) in KINDS and other.rules.moment == "length"]
    says = (fault.family, fault.kind) in KINDS and fault.rules.moment == "length"
    return next((other for other in said if says and other.stage == fault.stage), None)


def _unknown(fault: Fault) -> Misfit | None:
    kinds = [kind for family, kind in KINDS if family == fault.family]
    if not kinds:
        return "family", f"there is no family {fault.family!r}{did_you_mean(fault.family, FAMILIES)}: {_all(FAMILIES)}"
    if fault.kind not in kinds:
        return "kind", f"there is no {fault.family}.{fault.kind}{did_you_mean(fault.kind, kinds)}: {_all(kinds)}"
    return None


def _misplaced(fault: Fault, scenario: Scenario, workload: Workload) -> Iterator[Misfit]:
    rules, epochs = fault.rules, workload.schedule.epochs
    if rules.at == "stage" and fault.epoch != 0:
        yield "epoch", f"{fault.name} is there for the whole of a training: its epoch is 0"
    elif fault.epoch >= epochs:
        yield "epoch", f"{workload.name} is trained on for {epochs} epochs, counted from 0"
    elif not workload.passes(fault.stage, fault.epoch):
        yield "epoch", f"epoch {fault.epoch} of {workload.name} has no pass over {fault.stage} batches"
    if fault.kind == "length_too_short" and fault.parameter("by") >= len(workload.batches(fault.stage)):
        yield "parameters.by", f"{workload.name} has {len(workload.batches(fault.stage))} {fault.stage} batches"
    if fault.name == "loader.worker_killed" and not fault.batch:
        yield "batch", "a worker has its first batch ready before training begins: aim at a later one"
    if fault.batch is None:
        if fault.family in ("process", "strategy") and rules.at == "batch":
            yield "batch", f"{fault.name} is aimed at one batch"
        return
    ranks = scenario.ranks if scenario.framework == "lightning" else 1  # Keras cuts each batch up among replicas
    batches = _batches(workload, fault.stage, fault.rank % ranks, ranks)
    if rules.at != "batch":
        yield "batch", f"{fault.name} is aimed at the {rules.at} as a whole: leave batch out"
    elif fault.batch >= batches:
        where = f"rank {fault.rank} of {workload.name}" if ranks > 1 else workload.name
        yield "batch", f"{where} has {batches} {fault.stage} batches, counted from 0"


def _batches(workload: Workload, stage: str, rank: int, ranks: int) -> int:
    """How many of a pass one rank gets, of the loader that has most."""
    limit = workload.schedule.train_limit if stage == "train" else workload.schedule.validation_limit
    return max(limited(len(loader), limit) for loader in workload.of_rank(rank, ranks).loaders_of(stage))


def did_you_mean(given: str, known: tuple[str, ...] | list[str]) -> str:
    """What is close, for a message; empty if nothing is."""
    close = get_close_matches(given, known, cutoff=0.5)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def _all(known: tuple[str, ...] | list[str]) -> str:
    return f"there are {', '.join(known)}"
