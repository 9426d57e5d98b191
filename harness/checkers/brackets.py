"""Does every hook and step that begins end too, in the reverse order, and every epoch that ends have begun?"""

from harness.checkers.case import Case
from harness.checkers.events import ORDERS
from harness.findings import Finding
from harness.history.reader import Operation


def check(case: Case) -> list[Finding]:
    """One finding, on `hooks and steps`. What a process was in when it died has no end."""
    if case.trial.framework not in ORDERS:
        return []
    problems, evidence = _unbalanced(case)
    order = ORDERS[case.trial.framework]
    for start, end in ((order.epoch_start[0], order.epoch_end[0]), (order.validation[0][-1], order.validation[1][0])):
        begun = 0
        for operation in case.told.operations:
            if _starts_afresh(operation):
                begun = 0
            if operation.type != "info" or operation.stage == "sanity":
                continue
            begun += (operation.f == start) - (operation.f == end)
            if begun not in (0, 1):
                problems.append(f"{operation.f} of epoch {operation.epoch} came {'twice' if begun > 1 else 'first'}")
                evidence.append(operation.line)
                begun = min(max(begun, 0), 1)
    return [
        case.property_finding(
            "bracket", "hooks and steps", "violated" if problems else "ok",
            message="; ".join(problems), evidence=evidence,
        )
    ]  # fmt: skip


def _unbalanced(case: Case) -> tuple[list[str], list[int]]:
    problems, evidence = [], []
    begun: list[Operation] = []
    bracketed = {each.f for each in case.told.operations if each.type == "invoke"} - {"trial"}
    for operation in case.told.operations:
        if _starts_afresh(operation):
            begun.clear()
        elif operation.f not in bracketed or operation.type == "info":
            continue
        elif operation.type == "invoke":
            begun.append(operation)
        elif all(each.f != operation.f for each in begun):
            problems.append(f"{operation.f} ended, and had not begun")
            evidence.append(operation.line)
        else:
            while begun[-1].f != operation.f:
                problems.append(f"{begun[-1].f} did not end before {operation.f} did")
                evidence.append(begun.pop().line)
            begun.pop()
    if case.completed:
        problems += [f"{each.f} never ended" for each in begun]
        evidence += [each.line for each in begun]
    return problems, evidence


def _starts_afresh(operation: Operation) -> bool:
    """In a process of its own, which knows nothing of what one before it was in."""
    return (operation.f, operation.type) == ("trial", "invoke")
