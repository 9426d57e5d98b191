"""Does the file that a scenario keeps hold one record of every epoch that is complete, and none of others?

It is read once the trial's process is gone, however it went.
"""

from collections import Counter

from harness.checkers.case import Case
from harness.findings import Finding


def check(case: Case) -> list[Finding]:
    """One finding, on the file, if the scenario keeps one."""
    record = case.scenario.record
    if record is None:
        return []
    kept = case.history.first("record")
    if kept is None:
        return [case.property_finding("record", record.file, "unknown", message="nobody looked at it")]
    held = Counter(epoch for line in kept.value["lines"] if (epoch := record.epoch_of(line)) is not None)
    complete = {epoch for epoch in range(case.planned_epochs) if _is_complete(case, epoch)}
    problems = [f"epoch {epoch} is complete, and not recorded" for epoch in sorted(complete - held.keys())]
    problems += [f"epoch {epoch} is recorded {times} times" for epoch, times in sorted(held.items()) if times > 1]
    problems += [f"epoch {epoch} is recorded, and not complete" for epoch in sorted(held.keys() - complete)]
    return [
        case.property_finding(
            "record", record.file, "violated" if problems else "ok", message="; ".join(problems), evidence=[kept.line]
        )
    ]


def _is_complete(case: Case, epoch: int) -> bool:
    """Whether all batches that the schedule plans for an epoch have run, each as often as planned at least, and no
    others."""
    for stage in case.stages:
        ran = Counter(each.batch for each in case.told.select("batch", "ok", stage=stage, epoch=epoch))
        planned = range(len(case.workload.batches(stage)))
        passes = case.workload.passes(stage, epoch)
        if any(ran[batch] < passes for batch in planned) or any(batch not in planned for batch in ran):
            return False
    return True
