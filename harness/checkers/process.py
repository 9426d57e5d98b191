"""Did the trial's process end by itself, in time, and leave nothing running and nothing lying about?"""

from harness.checkers.case import Case
from harness.checkers.place import before
from harness.findings import Finding
from harness.oracle.loops import COMPLETES


def check(case: Case) -> list[Finding]:
    exit = case.history.first("exit")
    if exit is None:
        return [case.property_finding("process", "exit", "unknown", message="nobody saw the process end")]
    end = exit.value
    ended_by_itself = case.completed or case.failure is not None
    place = before(case.told, exit.line)
    where = f" ({end['where']})" if end["where"] else ""
    problems = []
    expected = case.events.expected
    ending = expected.ending if expected and case.trial.faults else COMPLETES
    if ending.how == "dies" and end["status"] == ending.status:
        pass  # as the fault has it
    elif end["timed_out"]:
        problems.append(f"did not end within {end['limit_s']} s{where}, {place.words}")
    elif end["status"] is None:
        problems.append("took the process that supervised it down with it")
    elif end["status"] < 0:
        problems.append(f"killed by signal {-end['status']}, {place.words}")
    elif not ended_by_itself:
        problems.append(f"left with exit status {end['status']} before the trial was over, {place.words}")
    elif case.completed and end["status"] != 0:
        problems.append(f"left with exit status {end['status']} after the trial was over")
    elif ending.how == "dies":
        problems.append(f"ended by itself, and was to with status {ending.status}")
    if end["left_behind"]:
        problems.append(f"left {end['left_behind']} processes running")
    if end["leftovers"]:
        problems.append(f"left {len(end['leftovers'])} files behind")  # their names, if random, differ from run to run
    only_hung = end["timed_out"] and not ended_by_itself and len(problems) == 1
    otherwise = "violated" if ending.how == "hangs" and (only_hung or not problems) else "ok"
    if not problems:
        return [case.property_finding("process", "exit", "ok", evidence=[exit.line], otherwise=otherwise)]
    return [
        case.property_finding(
            "process", "exit", "violated",
            message="; ".join(problems), evidence=[*place.lines, exit.line], epoch=place.epoch, otherwise=otherwise,
        )
    ]  # fmt: skip
