"""Did every fault fire just as often as its schedule has it, and where? If not, the trial shows nothing."""

from collections import Counter

from harness.checkers.case import Case
from harness.checkers.events import ORDERS
from harness.findings import Finding

Place = tuple[str, str | None, int | None, int | None]


def check(case: Case) -> list[Finding]:
    """One finding, if faults were scheduled: `ok`, or `unknown`, since nothing else of the trial can be judged then."""
    if not case.trial.faults:
        return []
    if case.trial.framework in ORDERS and case.told.first("plan") is None:
        message = "the history does not say what was planned"
        return [case.property_finding("fault", case.trial.fault, "unknown", message=message)]
    fired = list(case.history.select("fault", "info"))
    expected = case.events.expected
    scheduled = expected.reached if expected else case.trial.faults
    wanted: Counter[Place] = Counter((fault.name, fault.stage, fault.epoch, fault.batch) for fault in scheduled)
    every_batch = {fault.name for fault in scheduled if fault.batch is None}
    seen: Counter[Place] = Counter(
        (each.fault or "", each.stage, each.epoch, None if each.fault in every_batch else each.batch) for each in fired
    )
    problems = [f"{_words(place)} did not fire" for place in (wanted - seen).elements()]
    problems += [] if scheduled else ["no fault could fire: there is no such place in this training"]
    problems += [f"{_words(place)} fired, and was not to" for place in (seen - wanted).elements()]
    return [
        case.property_finding(
            "fault", case.trial.fault, "unknown" if problems else "ok",
            message="; ".join(problems), evidence=[each.line for each in fired],
        )
    ]  # fmt: skip


def _words(place: Place) -> str:
    name, stage, epoch, batch = place
    return f"{name} in {stage}, epoch {epoch}" + ("" if batch is None else f", batch {batch}")
