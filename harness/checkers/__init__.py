"""Pure functions from (trial, history) to findings, one property a file.

`judge` runs them all. A checker that crashes yields `unknown`, never `ok`.
"""

from collections.abc import Callable

from harness.checkers import (
    aggregates,
    brackets,
    cells,
    epoch_ends,
    exceptions,
    faults,
    histories,
    hooks,
    metric_state,
    order,
    precision,
    process,
    ranks,
    record,
    report_step,
    same_as,
    samples,
    training,
)
from harness.checkers.case import Case
from harness.checkers.place import told
from harness.findings import Finding

Checker = Callable[[Case], list[Finding]]

CHECKERS: dict[str, Checker] = {
    "aggregate": aggregates.check,
    "hook": hooks.check,
    "samples": samples.check,
    "ranks": ranks.check,
    "precision": precision.check,
    "report_step": report_step.check,
    "metric_state": metric_state.check,
    "training": training.check,
    "same_as": same_as.check,
    "bracket": brackets.check,
    "order": order.check,
    "epoch_end": epoch_ends.check,
    "exception": exceptions.check,
    "cell": cells.check,
    "record": record.check,
    "process": process.check,
}
# These hold a training to its plan, which a fault may keep it from.
OF_THE_WHOLE_PLAN = ("hook", "samples", "ranks", "report_step", "metric_state", "training", "same_as")
OF_FAULTS = ("exception", "cell")
# Where a training fails and no fault is to blame, that it does is the finding.
OF_WHAT_RAN = ("bracket", "order", "epoch_end", "record")


def judge(case: Case) -> list[Finding]:
    """All findings of one trial, in a fixed order; there are no others where its history is damaged, or its faults did
    not fire as scheduled."""
    findings = histories.check(case) or faults.check(case)
    if any(finding.verdict == "unknown" for finding in findings):
        return findings
    for name, checker in CHECKERS.items():
        if not _applies(name, case):
            continue
        try:
            findings += checker(case)
        except Exception as error:  # noqa: BLE001  # whatever a history may hold, the other checkers go on
            message = f"the checker itself failed: {told(error)}"
            findings.append(case.property_finding(name, "*", "unknown", message=message))
    return findings


def _applies(checker: str, case: Case) -> bool:
    if case.trial.faults:
        return checker not in OF_THE_WHOLE_PLAN
    return checker not in OF_FAULTS and (case.completed or checker not in OF_WHAT_RAN)
