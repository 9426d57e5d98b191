"""Was every sample of the split used exactly once in every epoch? Those that were not are named."""

from collections import Counter

from harness.checkers.case import Case
from harness.findings import Finding

SHOWN = 8


def check(case: Case) -> list[Finding]:
    if not case.completed:
        return []
    return [_check_stage(case, stage) for stage in case.stages]


def _check_stage(case: Case, stage: str) -> Finding:
    expected = Counter(sample for batch in case.workload.batches(stage) for sample in batch)
    problems, evidence = [], []
    for epoch in range(case.planned_epochs):
        operations = list(case.history.select("batch", "ok", stage=stage, epoch=epoch))
        seen = Counter(sample for operation in operations for sample in operation.value["ids"])
        dropped, doubled = expected - seen, seen - expected
        if dropped:
            problems.append(f"epoch {epoch}: dropped {_name(dropped)}")
        if doubled:
            problems.append(f"epoch {epoch}: doubled {_name(doubled)}")
        if dropped or doubled:
            evidence += [operation.line for operation in operations]
    for epoch in case.history.epochs(stage):
        if epoch >= case.planned_epochs:
            problems.append(f"epoch {epoch}: ran, and was not planned")
            evidence += [operation.line for operation in case.history.select("batch", "ok", stage=stage, epoch=epoch)]
    return case.property_finding(
        "samples", stage, "violated" if problems else "ok", message="; ".join(problems), evidence=evidence
    )


def _name(samples: Counter[int]) -> str:
    ids = sorted(samples)
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{len(ids)} samples ({', '.join(map(str, ids[:SHOWN]))}{more})"
