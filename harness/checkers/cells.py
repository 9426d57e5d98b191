"""Which hooks run under a fault: a cell of the matrix for each hook of each callback, and of the module.

`fired` or `silent` in the epoch that the (first) fault is aimed at, or at all where a hook does not belong to an epoch;
`stale` if it fired and was told a figure that is not of this epoch, since nothing had been seen that it could be of.
"""

from collections.abc import Collection

from harness.checkers.case import Case
from harness.checkers.reports import told_at_the_end
from harness.findings import Finding
from harness.oracle.loops import STEP, Event, Expected


def check(case: Case) -> list[Finding]:
    expected = case.events.expected
    if expected is None or not case.trial.faults or not expected.reached:
        return []
    order, epoch = case.events.order, expected.reached[0].epoch
    ends = {**dict.fromkeys(order.epoch_end, "train"), **dict.fromkeys(order.validation[1], "validation")}
    findings = []
    for owner in case.events.owners:
        for hook in owner.hooks:
            name = owner.names(hook)
            if hook in ends:
                cell = _of_epoch(case, expected, Event(name, ends[hook], epoch))
            elif hook in order.exception and not expected.ending.foreseen and expected.ending.how == "raises":
                continue  # it depends on which process is ended first
            elif hook in (*order.end, *order.exception):
                cell = _of_training(case, expected, name)
            else:
                continue
            findings.append(cell)
    return findings


def _of_epoch(case: Case, expected: Expected, wanted: Event) -> Finding:
    seen = [operation.line for event, operation in case.events.seen if event == wanted]
    stages = ("train", "validation") if wanted.stage == "train" else ("validation",)
    verdict, due = "fired" if seen else "silent", "fired" if wanted in expected.events else "silent"
    message, evidence = "", seen
    if seen:
        stale, lines = _stale(case, wanted, stages)
        if stale:
            verdict, message, evidence = "stale", f"told {'; '.join(stale)}", [*seen, *lines]
    if due == "fired" and _will_be_stale(case, expected, wanted, stages):
        due = "stale"
    return case.property_finding(
        "cell", wanted.f, verdict, otherwise=due, message=message, evidence=evidence, epoch=wanted.epoch
    )


def _of_training(case: Case, expected: Expected, name: str) -> Finding:
    seen = [operation.line for event, operation in case.events.seen if event.f == name]
    due = "fired" if any(event.f == name for event in expected.events) else "silent"
    return case.property_finding("cell", name, "fired" if seen else "silent", otherwise=due, evidence=seen)


def _stale(case: Case, wanted: Event, stages: Collection[str]) -> tuple[list[str], list[int]]:
    """The figures that were told in this epoch, of stages that ran no batch in it, and the lines that say so."""
    names, lines = [], []
    for aggregate in case.scenario.aggregates:
        ran = any(case.told.select("batch", "ok", stage=aggregate.stage, epoch=wanted.epoch))
        if aggregate.stage not in stages or ran:
            continue
        words, evidence = told_at_the_end(case, aggregate, wanted)
        if words and words not in names:
            names.append(words)
            lines += evidence
    return names, lines


def _will_be_stale(case: Case, expected: Expected, wanted: Event, stages: Collection[str]) -> bool:
    def ran(stage: str, epoch: int | None) -> bool:
        return any((each.f, each.stage, each.epoch) == (STEP, stage, epoch) for each in expected.events)

    before = range(wanted.epoch or 0)
    return any(
        aggregate.stage in stages
        and aggregate.stage in case.events.order.told_again
        and not ran(aggregate.stage, wanted.epoch)
        and any(ran(aggregate.stage, epoch) for epoch in before)
        for aggregate in case.scenario.aggregates
    )
