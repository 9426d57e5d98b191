"""Is there one line of what there is only one of? If not, the history is damaged, and the trial shows nothing."""

from collections import Counter

from harness.checkers.case import Case
from harness.findings import Finding

OF_A_TRIAL = ("record", "exit")
OF_A_PROCESS = {("plan", "info"): "plan", ("trial", "ok"): "end of the trial", ("trial", "fail"): "end of the trial"}


def check(case: Case) -> list[Finding]:
    """One finding, `unknown`, if a line was doubled; else none. A process begins where it begins the trial."""
    seen: Counter[tuple[str, int]] = Counter()
    for operation in case.history.operations:
        if (operation.f, operation.type) == ("trial", "invoke"):
            for each in OF_A_PROCESS.values():
                del seen[each, operation.process]
        if operation.f in OF_A_TRIAL:
            what, of = operation.f, (operation.f, 0)
        elif (operation.f, operation.type) in OF_A_PROCESS:
            what = OF_A_PROCESS[operation.f, operation.type]
            of = what, operation.process
        else:
            continue
        seen[of] += 1
        if seen[of] > 1:
            message = f"damaged: there is a second line of the {what}"
            return [case.property_finding("history", "*", "unknown", message=message, evidence=[operation.line])]
    return []
