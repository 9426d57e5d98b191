"""What is not the same in all runs of a report: findings that more than one of them has, by their verdicts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.findings import Finding
from harness.report.runs import Run

NOT_FOUND = "–"


@dataclass(frozen=True)
class Change:
    """Findings of one scenario whose verdicts differ in the same way.

    Attributes:
        verdicts: one for each run, `NOT_FOUND` where a run has none.
        findings: of the first run that has them.
    """

    scenario: str
    verdicts: tuple[str, ...]
    run: str
    findings: tuple[Finding, ...]


def changes(runs: Sequence[Run]) -> list[Change]:
    """None of a single run. What a run was not asked for, or has no such hook for, is no change."""
    verdicts: dict[tuple[str, ...], dict[int, Finding]] = {}
    for number, run in enumerate(runs):
        for finding in run.findings:
            verdicts.setdefault(_identity(finding), {}).setdefault(number, finding)
    grouped: dict[tuple[str, tuple[str, ...]], list[tuple[int, Finding]]] = {}
    for found in verdicts.values():
        if len({finding.verdict for finding in found.values()}) > 1:
            shown = tuple(found[number].verdict if number in found else NOT_FOUND for number in range(len(runs)))
            first = min(found)
            grouped.setdefault((found[first].scenario, shown), []).append((first, found[first]))
    return [
        Change(scenario, shown, runs[found[0][0]].label, tuple(finding for _, finding in found))
        for (scenario, shown), found in grouped.items()
    ]


def counted(found: Sequence[Change]) -> list[tuple[str, int]]:
    """How often verdicts changed from what to what, most often first."""
    counts: Counter[str] = Counter()
    for change in found:
        counts[" → ".join(change.verdicts)] += len(change.findings)
    return counts.most_common()


def _identity(finding: Finding) -> tuple[str, ...]:
    return (
        finding.scenario,
        finding.workload,
        finding.fault,
        finding.placement,
        finding.checker,
        finding.aggregate,
    )
