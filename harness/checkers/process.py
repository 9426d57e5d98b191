"""Did the trial's process end by itself, in time, and leave nothing running?"""

from harness.checkers.case import Case
from harness.findings import Finding


def check(case: Case) -> list[Finding]:
    exit = case.history.first("exit")
    if exit is None:
        return [case.property_finding("process", "exit", "unknown", message="nobody saw the process end")]
    end = exit.value
    ended_by_itself = case.completed or case.failure is not None
    problems = []
    if end["timed_out"]:
        problems.append(f"did not end within {end['limit_s']} s{_where(case)}")
    elif end["status"] is None:
        problems.append("took the process that supervised it down with it")
    elif end["status"] < 0:
        problems.append(f"killed by signal {-end['status']}{_where(case)}")
    elif not ended_by_itself:
        problems.append(f"left with exit status {end['status']} before the trial was over{_where(case)}")
    elif case.completed and end["status"] != 0:
        problems.append(f"left with exit status {end['status']} after the trial was over")
    if end["left_behind"]:
        problems.append(f"left {end['left_behind']} processes running")
    return [
        case.finding(
            "process", "exit", "violated" if problems else "ok", "ok", message="; ".join(problems), evidence=[exit.line]
        )
    ]


def _where(case: Case) -> str:
    """The last thing the trial wrote."""
    before = [operation for operation in case.history.operations if operation.f != "exit"]
    if not before:
        return ", before it wrote anything"
    last = before[-1]
    epoch = "" if last.epoch is None else f" in epoch {last.epoch}"
    batch = "" if last.batch is None else f", batch {last.batch}"
    return f"; last seen: {last.f} ({last.type}){epoch}{batch}"
