"""Do hooks and steps come in the documented order, up to where a fault cuts it, and those that are documented then?"""

from harness.checkers.case import Case
from harness.findings import Finding
from harness.oracle.loops import STEP, Expected

SHOWN = 3


def check(case: Case) -> list[Finding]:
    """One finding, on `hooks and steps`: event by event they are those that the model of the loop gives."""
    expected, seen = case.events.expected, case.events.seen
    if expected is None:
        return []
    count = case.events.foreseen
    wanted = expected.events
    ended_early = count == len(seen) < (len(wanted) if expected.ending.foreseen else _certain(expected))
    went_on = count < len(seen)
    if not expected.ending.foreseen:  # after that, anything may have been seen
        went_on = count < len(wanted) and count < len(seen)
    if not ended_early and not went_on:
        return [case.property_finding("order", "hooks and steps", "ok")]
    due = wanted[count].words if count < len(wanted) else "the end"
    after = f"after {wanted[count - 1].words}, " if count else ""
    got = seen[count][0].words if count < len(seen) else "nothing"
    lines = [operation.line for _, operation in seen[max(0, count - 1) : count + SHOWN]]
    return [
        case.property_finding(
            "order", "hooks and steps", "violated",
            message=f"{after}{due} was due, and {got} came", evidence=lines,
        )
    ]  # fmt: skip


def _certain(expected: Expected) -> int:
    """How many events must have been seen where it is not certain what the last step was."""
    steps = [index for index, event in enumerate(expected.events) if event.f == STEP]
    return steps[-2] if len(steps) > 1 else 0
