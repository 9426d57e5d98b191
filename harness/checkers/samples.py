"""Was every sample that the schedule plans used exactly once in every pass? Those that were not are named."""

from collections import Counter

from harness.checkers.case import Case
from harness.checkers.turns import Pass, named
from harness.findings import Finding
from harness.history.reader import Operation

SHOWN = 8


def check(case: Case) -> list[Finding]:
    if not case.completed:
        return []
    return [_check_stage(case, stage) for stage in case.stages]


def _check_stage(case: Case, stage: str) -> Finding:
    expected = Counter(sample for batch in case.workload.batches(stage) for sample in batch)
    completed: dict[Pass, list[Operation]] = {of: [] for of in case.passes(stage)}
    for operation in case.history.select("batch", "ok", stage=stage):
        if operation.epoch is not None:
            completed.setdefault(case.turns.of(operation, stage, operation.epoch), []).append(operation)
    problems, evidence = [], []
    for of, operations in completed.items():
        seen = Counter(sample for operation in operations for sample in operation.value["ids"])
        dropped, doubled = expected - seen, seen - expected
        if of not in case.passes(stage):
            problems.append(f"{named(of)}: ran, and was not planned")
        else:
            problems += [f"{named(of)}: dropped {_name(dropped)}"] if dropped else []
            problems += [f"{named(of)}: doubled {_name(doubled)}"] if doubled else []
            if not dropped and not doubled:
                continue
        evidence += [operation.line for operation in operations]
    return case.property_finding(
        "samples", stage, "violated" if problems else "ok", message="; ".join(problems), evidence=evidence
    )


def _name(samples: Counter[int]) -> str:
    ids = sorted(samples)
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{len(ids)} samples ({', '.join(map(str, ids[:SHOWN]))}{more})"
