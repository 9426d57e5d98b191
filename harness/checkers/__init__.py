"""Pure functions from (trial, history) to findings, one property a file.

`judge` runs them all. A checker that crashes yields `unknown`, never `ok`.
"""

from collections.abc import Callable

from harness.checkers import aggregates, hooks, metric_state, precision, process, report_step, samples, training
from harness.checkers.case import Case
from harness.checkers.place import told
from harness.findings import Finding

Checker = Callable[[Case], list[Finding]]

CHECKERS: dict[str, Checker] = {
    "aggregate": aggregates.check,
    "hook": hooks.check,
    "samples": samples.check,
    "precision": precision.check,
    "report_step": report_step.check,
    "metric_state": metric_state.check,
    "training": training.check,
    "process": process.check,
}


def judge(case: Case) -> list[Finding]:
    """All findings of one trial, in a fixed order."""
    findings = []
    for name, checker in CHECKERS.items():
        try:
            findings += checker(case)
        except Exception as error:  # noqa: BLE001  # whatever a history may hold, the other checkers go on
            message = f"the checker itself failed: {told(error)}"
            findings.append(case.property_finding(name, "*", "unknown", message=message))
    return findings
