"""Does an exception reach the caller of `fit` as it was raised, and are callbacks told of it once?

Where a framework is known to pass on another one, that must be the one that is known, and say what the first one said.
"""

from harness.checkers.case import Case
from harness.checkers.place import is_request
from harness.engine.place import without_stacks
from harness.findings import Finding
from harness.history.reader import Operation
from harness.oracle.loops import Ending

RAISED_BY_SIGNALS = {"process.interrupt": "KeyboardInterrupt", "process.interrupt_twice": "KeyboardInterrupt"}

Raised = tuple[str, str]  # class and message


def check(case: Case) -> list[Finding]:
    """A finding on what reaches the caller, and one on `on_exception` of each callback that defines it."""
    expected = case.events.expected
    if expected is None or expected.ending.how in ("dies", "hangs"):
        return []
    return [_caller(case), *(_told(case) if expected.ending.foreseen else ())]


def _caller(case: Case) -> Finding:
    assert case.events.expected is not None
    ending = case.events.expected.ending
    raised, line = _first_raised(case)
    got = case.failure
    evidence = [each for each in (line, got.line if got else 0) if each]
    due = _due(ending)
    name = got.value["exception"] if got else "nothing"
    is_due = not due or name in due
    changes = raised is not None and (ending.how != "raises" or not ending.unchanged)
    message = ""
    if raised and got is None:
        message = f"{_words(raised)} was raised, and the caller was told of nothing"
    elif raised and got and not _same(raised, got, case.trial.processes):
        message = f"{_words(raised)} was raised, and {name}: {got.value['message']} reached the caller"
        changes &= without_stacks(raised[1]) in got.value["message"]
    elif not is_due and not changes:
        message = f"{name} reached the caller, and {' or '.join(due)} was to"
    changes &= is_due or not message
    return case.property_finding(
        "exception", "caller", "violated" if message else "ok",
        message=message, evidence=evidence, otherwise="violated" if changes else "ok",
    )  # fmt: skip


def _due(ending: Ending) -> tuple[str, ...]:
    """What must reach the caller; empty for any exception."""
    return ("nothing",) if ending.how == "completes" else ending.exceptions


def _first_raised(case: Case) -> tuple[Raised | None, int]:
    """What was raised first, and the line that says so: by a fault, or in a step or hook of the only rank."""
    for operation in (case.history if case.trial.processes > 1 else case.told).operations:
        if operation.f == "fault" and operation.fault in RAISED_BY_SIGNALS:
            return (RAISED_BY_SIGNALS[operation.fault], ""), operation.line
        thrown = operation.f == "fault" and isinstance(operation.value, dict) and "exception" in operation.value
        failed = operation.type == "fail" and operation.f != "trial" and not is_request(operation)
        if thrown or (failed and case.trial.processes == 1):
            return (operation.value["exception"], operation.value["message"]), operation.line
    return None, 0


def _same(raised: Raised, got: Operation, processes: int) -> bool:
    """Where processes share an epoch, the one that started them has an exception of its own, and it is to say why."""
    kind, message = raised[0], without_stacks(raised[1])
    why = got.value["message"]
    return bool(message in why and (kind == got.value["exception"] or (processes > 1 and kind in why)))


def _words(raised: Raised | None) -> str:
    return ": ".join(without_stacks(each) for each in raised or () if each)


def _told(case: Case) -> list[Finding]:
    """Once if an exception ended the training, and never else."""
    assert case.events.expected is not None
    findings = []
    for hook in case.events.order.exception[:1]:
        for owner in case.events.owners:
            if hook in owner.hooks:
                name = owner.names(hook)
                seen = [operation.line for event, operation in case.events.seen if event.f == name]
                due = sum(event.f == name for event in case.events.expected.events)
                raised = int(_first_raised(case)[0] is not None or case.failure is not None)
                findings.append(
                    case.property_finding(
                        "on_exception", name, _verdict(len(seen), raised), otherwise=_verdict(due, raised),
                        message="" if len(seen) == raised else f"ran {len(seen)} times", evidence=seen,
                    )
                )  # fmt: skip
    return findings


def _verdict(times: int, due: int) -> str:
    return "ok" if times == due else "violated"
