"""Does every epoch of training change the weights? If none of its steps does, nothing is learnt."""

from itertools import pairwise

from harness.checkers.case import Case
from harness.findings import Finding


def check(case: Case) -> list[Finding]:
    """One finding, on `weights`, by their checksums before training and after each of its epochs."""
    if not case.completed:
        return []
    states = list(case.told.select("weights"))
    problems, evidence = [], []
    for before, after in pairwise(states):
        trained = case.told.select("batch", "ok", stage="train")
        steps = sum(before.line < step.line < after.line for step in trained)
        if steps and before.value["crc32"] == after.value["crc32"]:
            problems.append(f"epoch {after.epoch}: no weight changed in {steps} steps")
            evidence += [before.line, after.line]
    if not states:
        return []
    return [
        case.property_finding(
            "training", "weights", "violated" if problems else "ok", message="; ".join(problems), evidence=evidence
        )
    ]
