"""What the templates of the report are filled with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.findings import Finding
from harness.history.reader import abridged
from harness.report import faults, overlap, tables
from harness.report.runs import Headline, Run, headline
from harness.report.text import figure

MOST_LINES = 12

# (verdict, sign that tells it without colour, meaning)
VERDICTS = {
    "exact": ("✓", "the figure equals the truth, within a derived error bound"),
    "biased": ("≈", "it equals what the documented arithmetic gives, which is not the truth; the bias is shown"),
    "wrong": ("✗", "it equals neither"),
    "missing": ("∅", "it was promised and never reported"),
    "raised": ("!", "the documented code ends with an exception"),
    "ok": ("✓", "the property that was checked holds"),
    "violated": ("✗", "it does not"),
    "unknown": ("?", "it could not be decided"),
    "fired": ("✓", "the hook ran in the epoch of the fault, or at all if it does not belong to an epoch"),
    "silent": ("–", "it did not"),
    "stale": ("≈", "it ran, and was told figures of an earlier epoch"),
}


@dataclass(frozen=True)
class Unexpected:
    """A finding that is not what its scenario states, with the history behind it.

    Attributes:
        anchor: where more of the history is shown; empty without a fault.
    """

    run: str
    finding: Finding
    history: str
    lines: tuple[tuple[int, str], ...]
    more: int
    anchor: str


@dataclass(frozen=True)
class Condition:
    """What a claim needs in order to hold, and what was found."""

    asked: str
    numbers: tuple[str, ...]
    not_met_on: tuple[str, ...]


@dataclass(frozen=True)
class DecidedClaim:
    run: str
    claim: Mapping[str, Any]
    conditions: tuple[Condition, ...]


def context(runs: Sequence[Run]) -> dict[str, Any]:
    """Everything that `report.html.jinja` and `report.md.jinja` show."""
    findings = tables.frame(runs)
    claims = [_claim(run, claim) for run in runs for claim in run.claims]
    under_faults = faults.matrices(runs)
    anchors = faults.anchors(under_faults)
    heads: list[tuple[Run, Headline]] = [(run, headline(run)) for run in runs]
    return {
        "heads": heads,
        "several": len(runs) > 1,
        "differing": tables.differing(findings),
        "verdicts": VERDICTS,
        "matrices": tables.matrices(findings),
        "under_faults": under_faults,
        "unexpected": [_unexpected(run, finding, anchors) for run in runs for finding in run.unexpected],
        "overlaps": overlap.shown(runs),
        "claims": [claim for claim in claims if claim.claim["verdict"] != "undecided"],
        "undecided": [claim for claim in claims if claim.claim["verdict"] == "undecided"],
        "deviations": tables.deviations(findings),
        "checked": tables.checked(findings),
        "absences": tables.absences(runs),
        "facts": tables.facts(runs),
    }


def _unexpected(run: Run, finding: Finding, anchors: Mapping[tuple[str, str], str]) -> Unexpected:
    path = run.directory.history(finding.trial)
    wanted = sorted(set(finding.evidence))
    return Unexpected(
        run=run.label,
        finding=finding,
        history=f"{path.parent.name}/{path.name}",
        lines=tuple(abridged(path, wanted[:MOST_LINES])),
        more=max(0, len(wanted) - MOST_LINES),
        anchor=anchors.get((run.label, finding.trial), ""),
    )


def _claim(run: Run, claim: Mapping[str, Any]) -> DecidedClaim:
    conditions = tuple(
        Condition(condition["asked"], _in_words(condition["numbers"]), tuple(condition["not_met_on"]))
        for condition in claim["conditions"]
    )
    return DecidedClaim(run.label, claim, conditions)


def _in_words(numbers: Mapping[str, Any]) -> tuple[str, ...]:
    """What was counted or measured; what there is nothing of is left out."""
    shown = []
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            shown.append(", ".join(f"{count} {verdict}" for verdict, count in value.items()))
        elif isinstance(value, str):
            shown.append(f"{name}: {value}")
        elif value:
            shown.append(f"{name.replace('_', ' ')} {figure(value)}")
    return tuple(filter(None, shown))
