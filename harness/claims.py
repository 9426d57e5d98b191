"""Decides what documents claim, from the findings and exact counters of a run."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from harness.environment import Environment
from harness.faults.fault import NONE
from harness.findings import Finding
from harness.history.encoding import encode_number
from harness.scenario import Claim, Condition, Differ, Fewer, When

Key = tuple[str, str, str]  # scenario, workload, fault
Tallies = dict[Key, dict[str, int]]  # counter → integer
_matches = lru_cache(maxsize=1 << 16)(fnmatchcase)  # the same few names, asked for by every finding and every claim


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


@dataclass(frozen=True)
class Evidence:
    """What one condition asked for, and what it found.

    Attributes:
        met: whether it is met, by trial and what that ran on; empty if nothing bears on it.
        numbers: what was counted or measured, for people.
    """

    asked: str
    met: list[tuple[str, str, bool]]
    numbers: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "asked": self.asked,
            "met_on": sorted({on for _, on, met in self.met if met}),
            "not_met_on": sorted({on for _, on, met in self.met if not met}),
            "numbers": self.numbers,
            "trials": sorted({trial for trial, _, _ in self.met}),
        }


def decide(
    claim: Claim,
    findings: Sequence[Finding],
    tallies: Mapping[Key, dict[str, int]],
    environment: Environment,
    possible: Collection[Key],
) -> Decision:
    """A claim is `undecided`, which is as expected, unless all trials that could bear on it here were run, and none
    of the findings that it rests on is `unknown`.

    Args:
        tallies: the exact counters of every trial that was run.
        possible: every trial that can run here, asked for or not.
    """
    evidence = [_gather(condition, findings, tallies) for condition in claim.holds_when]
    needed = {trial for trial in possible if any(_bears_on(condition, *trial) for condition in claim.holds_when)}
    met = [[met for _, _, met in each.met] for each in evidence]
    unknown = any("unknown" in each.numbers.get("verdicts", ()) for each in evidence)
    if unknown or not needed <= set(tallies) or not all(met):
        verdict = "undecided"
    elif all(all(each) for each in met):
        verdict = "holds"
    elif any(not any(each) for each in met):
        verdict = "refuted"
    else:
        verdict = "holds in part"
    expected = next((expect.verdict for expect in claim.expects if environment.meets(expect.needs)), "holds")
    return Decision(
        claim=claim,
        verdict=verdict,
        expected_verdict=expected,
        as_expected=verdict in (expected, "undecided"),
        conditions=tuple(each.to_json() for each in evidence),
    )


def evidence(claims: Iterable[Claim], scenarios: Iterable[str]) -> set[str]:
    """Those of the scenarios that some claim rests on."""
    globs = {glob for claim in claims for condition in claim.holds_when for glob in condition.scenarios}
    return {scenario for scenario in scenarios if any(_matches(scenario, glob) for glob in globs)}


def _bears_on(condition: Condition, scenario: str, workload: str, fault: str) -> bool:
    return (
        any(_matches(scenario, glob) for glob in condition.scenarios)
        and _matches(workload, condition.workload)
        and _matches(fault, condition.fault if isinstance(condition, When) else NONE)
    )


def _gather(condition: Condition, findings: Sequence[Finding], tallies: Mapping[Key, dict[str, int]]) -> Evidence:
    if isinstance(condition, Fewer):
        return _compare_counters(condition, tallies)
    if isinstance(condition, Differ):
        return _compare_figures(condition, findings)
    return _collect_verdicts(condition, findings)


def _collect_verdicts(when: When, findings: Sequence[Finding]) -> Evidence:
    selected = [
        finding
        for finding in findings
        if _matches(finding.scenario, when.scenario)
        and _matches(finding.workload, when.workload)
        and _matches(finding.fault, when.fault)
        and _matches(finding.aggregate, when.aggregate)
        and _matches(finding.checker, when.checker)
    ]
    under = "" if when.fault == NONE else f" under {when.fault}"
    biases = [abs(finding.bias) for finding in selected if finding.bias is not None]
    return Evidence(
        asked=f"{when.aggregate} ({when.checker}) of {when.scenario} on {when.workload}{under} is {when.verdict}",
        met=[(finding.trial, finding.on, finding.verdict == when.verdict) for finding in selected],
        numbers={
            "verdicts": dict(sorted(Counter(finding.verdict for finding in selected).items())),
            "largest_bias": encode_number(max(biases)) if biases else None,
        },
    )


def _compare_counters(fewer: Fewer, tallies: Mapping[Key, dict[str, int]]) -> Evidence:
    met, numbers = [], {}
    for (scenario, workload, fault), counters in tallies.items():
        other = tallies.get((fewer.than, workload, fault), {})
        if (
            (scenario, fault) == (fewer.scenario, NONE)
            and _matches(workload, fewer.workload)
            and {fewer.counter} <= {*counters} & {*other}
        ):
            mine, theirs = counters[fewer.counter], other[fewer.counter]
            met.append((f"{scenario}@{workload}", workload, mine < theirs))
            numbers[workload] = f"{mine} against {theirs}"
    return Evidence(
        asked=f"{fewer.counter} of {fewer.scenario} on {fewer.workload} is less than of {fewer.than}",
        met=met,
        numbers=numbers,
    )


def _compare_figures(differ: Differ, findings: Sequence[Finding]) -> Evidence:
    def figures(scenario: str) -> dict[str, list[Any]]:
        return {
            finding.workload: [epoch.observed for epoch in finding.per_epoch]
            for finding in findings
            if (finding.checker, finding.aggregate, finding.scenario) == ("aggregate", differ.aggregate, scenario)
            and finding.fault == NONE
            and _matches(finding.workload, differ.workload)
            and any(epoch.observed is not None for epoch in finding.per_epoch)
        }

    mine, theirs = figures(differ.scenario), figures(differ.than)
    both = sorted(mine.keys() & theirs.keys())
    unlike = {
        workload: [a != b and (a == a or b == b) for a, b in zip_longest(mine[workload], theirs[workload])]
        for workload in both
    }  # NaN is like NaN
    return Evidence(
        asked=f"{differ.aggregate} of {differ.scenario} on {differ.workload} differs from that of {differ.than}",
        met=[(f"{differ.scenario}@{workload}", workload, any(unlike[workload])) for workload in both],
        numbers={workload: f"differs in {sum(each)} of {len(each)} epochs" for workload, each in unlike.items()},
    )
