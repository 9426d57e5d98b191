"""Does the logger get an epoch's figure at the step and epoch it belongs to?

Lightning 1.9 to 2.6 reports an epoch's figures at the index of the last optimiser step taken
(`fit_loop.on_advance_end`: "loggers expect that the same step is used when logging epoch-end metrics"); those
of a validation in mid-epoch at the index of the step that the last training batch contributes to, whether that
step is taken yet or not (`training_epoch_loop.on_advance_end` validates before it counts the step).
Keras tells its loggers no step. Figures of a validation that ran out of sight come when they are there: `same_as` says
whether their step is the one of sequential validation.
"""

from harness.checkers.case import Case
from harness.findings import Finding
from harness.scenario import Aggregate


def check(case: Case) -> list[Finding]:
    if not case.completed or case.trial.framework != "lightning":
        return []
    return [
        _check(case, aggregate)
        for aggregate in case.scenario.aggregates
        if aggregate.reported_in == "logger" and not case.out_of_sight(aggregate.stage)
    ]


def _check(case: Case, aggregate: Aggregate) -> Finding:
    problems, evidence = [], []
    batches = len(case.share.batches("train"))
    taken = step = 0  # optimiser steps; the index of the one that the last batch contributes to
    for operation in case.told.operations:
        if operation.f == "batch" and operation.type == "ok" and operation.stage == "train":
            step = taken
            taken += operation.batch is None or case.workload.schedule.ends_step(operation.batch, batches)
        elif operation.f == "logger" and operation.stage != "sanity" and aggregate.name in operation.value["metrics"]:
            told = operation.value
            if told["step"] != step or told["epoch"] not in (None, operation.epoch):
                problems.append(
                    f"told as step {told['step']} of epoch {told['epoch']}, "
                    f"after step {step} in epoch {operation.epoch}"
                )
                evidence.append(operation.line)
    return case.property_finding(
        "report_step", aggregate.name, "violated" if problems else "ok",
        message="; ".join(problems[:3]), evidence=evidence,
    )  # fmt: skip
