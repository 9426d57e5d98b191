"""Decides what documents claim, from the findings of a run."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from harness.environment import Environment
from harness.findings import Finding
from harness.history.encoding import encode_number
from harness.scenario import Claim, When


@dataclass(frozen=True)
class Decision:
    """A claim's verdict in one environment, with the numbers behind it."""

    claim: Claim
    verdict: str
    expected_verdict: str
    as_expected: bool
    conditions: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "claim": self.claim.id,
            "statement": self.claim.statement,
            "source": self.claim.source,
            "verdict": self.verdict,
            "expected_verdict": self.expected_verdict,
            "as_expected": self.as_expected,
            "conditions": list(self.conditions),
        }


def decide(
    claim: Claim, findings: Sequence[Finding], environment: Environment, possible: Collection[tuple[str, str]]
) -> Decision:
    """A claim is `undecided`, which is as expected, unless all trials that could bear on it here were run.

    Args:
        possible: (scenario, workload) of every trial that can run here, asked for or not.
    """
    ran = {(finding.scenario, finding.workload) for finding in findings}
    needed = {
        (scenario, workload)
        for scenario, workload in possible
        for when in claim.holds_when
        if fnmatchcase(scenario, when.scenario) and fnmatchcase(workload, when.workload)
    }
    conditions = [(when, [finding for finding in findings if _selects(when, finding)]) for when in claim.holds_when]
    expected = next((expect.verdict for expect in claim.expects if environment.meets(expect.needs)), "holds")
    if not needed <= ran or any(not selected for _, selected in conditions):
        verdict = "undecided"
    else:
        met = [[finding.verdict == when.verdict for finding in selected] for when, selected in conditions]
        if all(all(each) for each in met):
            verdict = "holds"
        elif any(not any(each) for each in met):
            verdict = "refuted"
        else:
            verdict = "holds in part"
    return Decision(
        claim=claim,
        verdict=verdict,
        expected_verdict=expected,
        as_expected=verdict in (expected, "undecided"),
        conditions=tuple(_numbers(when, selected) for when, selected in conditions),
    )


def _selects(when: When, finding: Finding) -> bool:
    return (
        fnmatchcase(finding.scenario, when.scenario)
        and fnmatchcase(finding.aggregate, when.aggregate)
        and fnmatchcase(finding.checker, when.checker)
        and fnmatchcase(finding.workload, when.workload)
    )


def _numbers(when: When, findings: Sequence[Finding]) -> dict[str, Any]:
    biases = [abs(finding.bias) for finding in findings if finding.bias is not None]
    return {
        "needs": when.verdict,
        "of": f"{when.scenario}@{when.workload} {when.checker}: {when.aggregate}",
        "verdicts": dict(sorted(Counter(finding.verdict for finding in findings).items())),
        "largest_bias": encode_number(max(biases)) if biases else None,
        "met_on": sorted({finding.workload for finding in findings if finding.verdict == when.verdict}),
        "not_met_on": sorted({finding.workload for finding in findings if finding.verdict != when.verdict}),
        "trials": sorted({finding.trial for finding in findings}),
    }
