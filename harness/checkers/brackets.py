"""Does every hook and step that begins end too, in the reverse order, and every epoch that ends have begun?"""

from collections.abc import Collection, Sequence

from harness.checkers import processes
from harness.checkers.case import Case
from harness.checkers.events import ORDERS
from harness.checkers.place import is_request
from harness.findings import Finding
from harness.history.reader import Operation
from harness.oracle.loops import STEP

Problem = tuple[str, int]  # in words, and the line that shows it
RESUMES = "on_fit_start"  # a `fit` that goes on, in the same process, where the one before was cut off


def check(case: Case) -> list[Finding]:
    """One finding, on `hooks and steps`. What a process was in when it died has no end."""
    if case.trial.framework not in ORDERS:
        return []
    problems = [
        problem
        for operations in processes.of(case)
        for problem in (*_unbalanced(case, operations), *_epochs(case, operations))
    ]
    return [
        case.property_finding(
            "bracket", "hooks and steps", "violated" if problems else "ok",
            message="; ".join(words for words, _ in problems), evidence=[line for _, line in problems],
        )
    ]  # fmt: skip


def _unbalanced(case: Case, operations: Sequence[Operation]) -> list[Problem]:
    problems = []
    begun: list[Operation] = []
    bracketed = {each.f for each in operations if each.type == "invoke"} - {"trial"}
    for operation in operations:
        if operation.f not in bracketed or operation.type == "info":
            continue
        if operation.type == "invoke":
            begun.append(operation)
        elif all(_stamp(each) != _stamp(operation) for each in begun):
            problems.append((f"{operation.f} ended, and had not begun", operation.line))
        else:
            while _stamp(begun[-1]) != _stamp(operation):
                problems.append((f"{begun[-1].f} did not end before {operation.f} did", begun.pop().line))
            begun.pop()
    hooks, died = ORDERS[case.trial.framework].hooks, not processes.ended(case, operations)
    return problems + [
        (f"{each.f} never ended", each.line)
        for each in begun
        if not (died and all(_may_be_in(each, later, hooks) for later in operations if later.line > each.line))
    ]


def _stamp(operation: Operation) -> tuple[str, str | None, int | None, int | None]:
    return operation.f, operation.stage, operation.epoch, operation.batch


def _may_be_in(outer: Operation, inner: Operation, hooks: Collection[str]) -> bool:
    """Whether what comes after a beginning may be part of what began: a hook may call others of its own object."""
    (owner, _, _), (other, _, hook) = outer.f.rpartition("."), inner.f.rpartition(".")
    if is_request(outer) or (inner.f != STEP and hook not in hooks):
        return True  # it was noted in it
    return inner.type != "info" and STEP not in (outer.f, inner.f) and owner == other and outer.f != inner.f


def _epochs(case: Case, operations: Sequence[Operation]) -> list[Problem]:
    problems = []
    order = ORDERS[case.trial.framework]
    for start, end in ((order.epoch_start[0], order.epoch_end[0]), (order.validation[0][-1], order.validation[1][0])):
        begun: Operation | None = None
        resumed = False  # then an epoch may start once more, or go on
        for operation in operations:
            resumed |= operation.f == RESUMES and begun is not None
            if operation.type != "info" or operation.stage == "sanity" or operation.f not in (start, end):
                continue
            starts = operation.f == start
            if resumed and starts and begun and begun.epoch == operation.epoch:
                came = ""
            elif starts == (begun is not None):
                came = f"came {'twice' if starts else 'first'}"
            elif begun and begun.epoch != operation.epoch:
                came = f"came in epoch {begun.epoch}"
            else:
                came = ""
            if came:
                problems.append((f"{operation.f} of epoch {operation.epoch} {came}", operation.line))
            begun, resumed = operation if starts else None, False
    return problems
