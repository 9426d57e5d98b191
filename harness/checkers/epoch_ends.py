"""Does a hook that ends an epoch run exactly once for every epoch that is complete, resumed or not, and for none that
saw no data?"""

from harness.checkers.case import Case
from harness.checkers.events import ORDERS
from harness.findings import Finding


def check(case: Case) -> list[Finding]:
    """One finding for each hook of each callback, and of the module. The last epoch of a training that was cut off may
    lack it."""
    if case.trial.framework not in ORDERS:
        return []
    order = ORDERS[case.trial.framework]
    hooks = [(hook, "train") for hook in order.epoch_end] + [(order.validation[1][0], "validation")]
    return [
        _once(case, owner.names(hook), stage)
        for owner in case.events.owners
        for hook, stage in hooks
        if hook in owner.hooks
    ]


def _once(case: Case, name: str, stage: str) -> Finding:
    calls = list(case.told.select(name, "invoke", stage=stage))
    steps = list(case.told.select("batch", "ok", stage=stage))
    problems: list[str] = []
    for epoch in sorted({each.epoch for each in (*calls, *steps) if each.epoch is not None}):
        times = sum(call.epoch == epoch for call in calls)
        ran = sum(step.epoch == epoch for step in steps)
        passes = _passes(case, stage, epoch, ran)
        if times > max(passes, 1):
            problems.append(f"ran {times} times in epoch {epoch}")
        elif times and not ran:
            problems.append(f"ran in epoch {epoch}, which saw no batch")
        elif times < (1 if case.trial.resumed else passes) and not _cut_off(case, stage, epoch):
            problems.append(f"ran {times} times in epoch {epoch}, of which all batches had run")
    return case.property_finding(
        "epoch_end", name, "violated" if problems else "ok",
        message="; ".join(problems), evidence=[call.line for call in calls],
    )  # fmt: skip


def _passes(case: Case, stage: str, epoch: int, ran: int) -> int:
    """How many whole passes over the batches of a stage there were."""
    batches = len(case.share.batches(stage))
    return ran // batches if batches else 0


def _cut_off(case: Case, stage: str, epoch: int) -> bool:
    """Whether training ended, otherwise than by being through, in that epoch."""
    later = any(each.epoch is not None and each.epoch > epoch for each in case.told.select("batch", "invoke"))
    if later:
        return False
    return case.told.first(case.events.order.end[0], "info") is None
