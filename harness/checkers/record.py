"""Does the file that a scenario keeps hold one record of every epoch that is complete, and none of others?

It is read once the trial's process is gone, however it went.
"""

from collections import Counter

from harness.checkers.case import Case
from harness.findings import Finding

KINDS = ("lost", "doubled", "premature")


def check(case: Case) -> list[Finding]:
    """Three findings on the file, if the scenario keeps one: is a record lost, doubled, or premature?"""
    record = case.scenario.record
    if record is None:
        return []
    names = {kind: f"{record.file} {kind}" for kind in KINDS}
    kept = case.history.first("record")
    if kept is None:
        return [
            case.property_finding("record", name, "unknown", message="nobody looked at it") for name in names.values()
        ]
    held = Counter(epoch for line in kept.value["lines"] if (epoch := record.epoch_of(line)) is not None)
    complete = {epoch for epoch in range(case.planned_epochs) if _is_complete(case, epoch)}
    lost = [epoch for epoch in sorted(complete - held.keys()) if _is_past(case, epoch)]
    problems = {
        "lost": [f"epoch {epoch} is complete, and not recorded" for epoch in lost],
        "doubled": [f"epoch {epoch} is recorded {times} times" for epoch, times in sorted(held.items()) if times > 1],
        "premature": [f"epoch {epoch} is recorded, and not complete" for epoch in sorted(held.keys() - complete)],
    }
    return [
        case.property_finding(
            "record", names[kind], "violated" if found else "ok", message="; ".join(found), evidence=[kept.line]
        )
        for kind, found in problems.items()
    ]


def _is_past(case: Case, epoch: int) -> bool:
    """Whether training went on after an epoch, or was through: one that failed while it ended may be missing."""
    begun = case.told.select("batch", "invoke", stage="train")
    return case.completed or any(step.epoch is not None and step.epoch > epoch for step in begun)


def _is_complete(case: Case, epoch: int) -> bool:
    """Whether all batches that the schedule plans for an epoch have run, each as often as planned at least, and no
    others."""
    for stage in case.stages:
        steps = case.told.select("batch", "ok", stage=stage, epoch=epoch)
        ran = Counter(step.batch for step in steps if step.batch is not None)
        planned = Counter(case.share.numbers(stage) * case.share.passes(stage, epoch))
        if planned - ran or ran.keys() - planned.keys():
            return False
    return True
