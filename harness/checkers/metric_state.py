"""Does a metric object start every pass empty? What is left in it leaks into that pass's figure.

The history holds the number of updates in each torchmetrics object (in a Keras metric: the count that its mean is
divided by) before and after the first batch of every pass, when all hooks that may reset it at the start have run.
An object belongs to those stages in which the first batch adds to it. One that is made by the first batch, as Keras
makes compiled metrics, held nothing before it.
"""

from harness.checkers.case import Case
from harness.checkers.turns import Pass, named
from harness.findings import Finding
from harness.history.reader import Operation

STAGES = ("train", "validation")


def check(case: Case) -> list[Finding]:
    """One finding per metric object of the module and stage that updates it, by its attribute name."""
    if not case.completed:
        return []
    findings = []
    for stage in STAGES:
        before, after = _moments(case, stage, "before"), _moments(case, stage, "after")
        names = dict.fromkeys(name for state in after.values() for name in state.value["updates"])
        for name in names:
            held = {of: state.value["updates"].get(name, 0) for of, state in before.items()}
            if any(after[of].value["updates"].get(name, 0) > held[of] for of in after if of in held):
                findings.append(_judge(case, f"{name} ({stage})", held, before))
    return findings


def _moments(case: Case, stage: str, moment: str) -> dict[Pass, Operation]:
    return {
        case.turns.of(operation, stage, operation.epoch): operation
        for operation in case.told.select("metric_state", stage=stage)
        if operation.epoch is not None and operation.value["moment"] == moment
    }


def _judge(case: Case, name: str, held: dict[Pass, int], before: dict[Pass, Operation]) -> Finding:
    leaks = {of: updates for of, updates in held.items() if updates}
    told = [f"{named(of)} starts with {updates} updates of earlier ones" for of, updates in leaks.items()]
    return case.property_finding(
        "metric_state", name, "violated" if leaks else "ok",
        message="; ".join(told), evidence=[before[of].line for of in leaks],
    )  # fmt: skip
