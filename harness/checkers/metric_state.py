"""Does a metric object start every epoch empty? What is left in it leaks into the next epoch's figure."""

from harness.checkers.case import Case
from harness.findings import Finding


def check(case: Case) -> list[Finding]:
    """One finding per torchmetrics object of the module, by its attribute name."""
    if not case.completed:
        return []
    states = list(case.history.select("metric_state"))
    names = list(dict.fromkeys(name for state in states for name in state.value))
    findings = []
    for name in names:
        leaks, evidence = [], []
        for state in states:
            held = state.value.get(name, 0)
            if held:
                at = f"when epoch {state.epoch} started" if state.epoch in range(case.planned_epochs) else "at the end"
                leaks.append(f"{held} updates of earlier epochs {at}")
                evidence.append(state.line)
        findings.append(
            case.property_finding(
                "metric_state", name, "violated" if leaks else "ok",
                message="holds " + ", ".join(leaks) if leaks else "", evidence=evidence,
            )  # fmt: skip
        )
    return findings
