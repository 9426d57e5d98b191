"""Do the model's outputs have the precision that the placement asks for? Less of it loses digits unasked."""

from harness.checkers.case import Case
from harness.findings import Finding


def check(case: Case) -> list[Finding]:
    """One finding per stage in which outputs were recorded."""
    if not case.completed:
        return []
    wanted = case.trial.precision
    findings = []
    for stage in case.stages:
        recorded = [step for step in case.history.select("batch", "ok", stage=stage) if step.value["outputs"]]
        others = [step for step in recorded if step.value["outputs"]["dtype"] != wanted]
        kinds = sorted({step.value["outputs"]["dtype"] for step in others})
        findings.append(
            case.property_finding(
                "precision",
                stage,
                "violated" if others else "ok",
                message=f"{len(others)} batches gave {', '.join(kinds)}, not {wanted}" if others else "",
                evidence=[step.line for step in others],
            )
        )
    return findings
