"""Do the model's outputs have the precision that is asked for: of the Trainer, or else by the placement? Less of it
loses digits unasked."""

from harness.checkers.case import Case
from harness.findings import Finding

# What a Trainer can be asked for, in Lightning 2 and in 1.9, if it is not what the module has anyway.
TRUE = {"16-true": "float16", "bf16-true": "bfloat16", "64-true": "float64", "64": "float64"}
MIXED = {"16-mixed": "float16", "16": "float16", "bf16-mixed": "bfloat16", "bf16": "bfloat16"}


def check(case: Case) -> list[Finding]:
    """One finding per stage in which outputs were recorded."""
    if not case.completed:
        return []
    wanted = _asked_for(case)
    findings = []
    for stage in case.stages:
        recorded = [step for step in case.history.select("batch", "ok", stage=stage) if step.value["outputs"]]
        others = [step for step in recorded if step.value["outputs"]["dtype"] not in wanted]
        kinds = sorted({step.value["outputs"]["dtype"] for step in others})
        message = f"{len(others)} batches gave {', '.join(kinds)}, not {' or '.join(sorted(wanted))}"
        findings.append(
            case.property_finding(
                "precision",
                stage,
                "violated" if others else "ok",
                message=message if others else "",
                evidence=[step.line for step in others],
            )
        )
    return findings


def _asked_for(case: Case) -> set[str]:
    """In mixed precision, what comes out depends on the last operation."""
    own, asked = case.trial.precision, str(case.scenario.trainer.get("precision"))
    if asked not in MIXED:
        return {TRUE.get(asked, own)}
    half = "bfloat16" if case.trial.device == "cpu" else MIXED[asked]  # the only one that Lightning mixes on a CPU
    return {own, "float32", half}
