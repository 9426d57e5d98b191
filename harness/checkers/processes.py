"""The operations of a trial process by process: each knows nothing of what one before it was in."""

from collections.abc import Sequence

from harness.checkers.case import Case
from harness.history.reader import Operation


def of(case: Case) -> list[list[Operation]]:
    """Of those that rank 0 was in, in the order in which they began."""
    processes: list[list[Operation]] = []
    now: dict[int, list[Operation]] = {}
    for operation in case.told.operations:
        if operation.process not in now or (operation.f, operation.type) == ("trial", "invoke"):
            now[operation.process] = []
            processes.append(now[operation.process])
        now[operation.process].append(operation)
    return processes


def ended(case: Case, operations: Sequence[Operation], *how: str) -> bool:
    """Whether a process came to the end of the trial, `ok` or `fail` if nothing is said; one that was started for a
    rank comes to that of the process that started it."""
    trial = {operation.type for operation in operations if operation.f == "trial"}
    return bool(trial & {*(how or ("ok", "fail"))}) or (not trial and case.completed)
