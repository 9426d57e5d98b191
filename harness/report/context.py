"""What the templates of the report are filled with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.findings import Finding
from harness.history.reader import abridged
from harness.report import changes, costs, evidence, faults, overlap, plots, tables
from harness.report.runs import Headline, Run, headline
from harness.report.text import cut, figure, printable

MOST_LINES = 12
MOST_LISTED, MOST_DRAWN, MOST_CHANGES = 300, 40, 200
# Nothing else keeps these short. In characters.
MOST = dict.fromkeys(("scenario", "workload", "fault", "checker", "aggregate"), 300) | {"message": 2000}

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
    """A finding that is not what its scenario states, with the history behind it."""

    run: str
    finding: Finding
    history: str
    lines: tuple[tuple[int, str], ...]
    more: int


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
    runs = [replace(run, findings=tuple(map(_cut, run.findings))) for run in runs]
    findings = tables.frame(runs)
    claims = [_claim(run, claim) for run in runs for claim in run.claims]
    under_faults = faults.matrices(runs)
    changed = changes.changes(runs)
    off = tables.furthest_off(findings)
    heads: list[tuple[Run, Headline]] = [(run, headline(run)) for run in runs]
    return {
        "heads": heads,
        "several": len(runs) > 1,
        "several_placements": findings["placement"].nunique() > 1,
        "verdicts": VERDICTS,
        "matrices": tables.matrices(findings),
        "under_faults": under_faults,
        "unexpected": [each for run in runs for each in _unexpected(run)],
        "words": _words(runs),
        "changed": changed,
        "changes_counted": changes.counted(changed),
        "most_changes": MOST_CHANGES,
        "costs": costs.shown(runs),
        "off": off,
        "most_drawn": MOST_DRAWN,
        "biases": plots.biases("biases", off[:MOST_DRAWN]) if off else "",
        "most_listed": MOST_LISTED,
        "evidence": evidence.gathered(runs, under_faults),
        "overlaps": overlap.shown(runs),
        "claims": [claim for claim in claims if claim.claim["verdict"] != "undecided"],
        "undecided": [claim for claim in claims if claim.claim["verdict"] == "undecided"],
        "deviations": tables.deviations(findings),
        "checked": tables.checked(findings),
        "absences": tables.absences(runs),
        "facts": tables.facts(runs),
    }


def _words(runs: Sequence[Run]) -> list[str]:
    """What one may wish to filter by."""
    findings = [finding for run in runs for finding in run.findings]
    names = {finding.scenario.rpartition("/")[0] for finding in findings}
    names |= {name for finding in findings for name in (finding.workload, finding.fault, finding.verdict)}
    return ["unexpected", *sorted(names)]


def _cut(finding: Finding) -> Finding:
    """The same finding, with names and a message that are of some use."""
    said: dict[str, Any] = {name: printable(cut(getattr(finding, name), most)) for name, most in MOST.items()}
    return finding if all(getattr(finding, name) == text for name, text in said.items()) else replace(finding, **said)


def _unexpected(run: Run) -> list[Unexpected]:
    """Each history is read once."""
    wanted: dict[str, set[int]] = {}
    for finding in run.unexpected:
        wanted.setdefault(finding.trial, set()).update(sorted(set(finding.evidence))[:MOST_LINES])
    shown = {trial: dict(abridged(run.directory.history(trial), [*lines])) for trial, lines in wanted.items()}
    found = []
    for finding in run.unexpected:
        path = run.directory.history(finding.trial)
        lines = sorted(set(finding.evidence))
        texts = shown[finding.trial]
        found.append(
            Unexpected(
                run=run.label,
                finding=finding,
                history=f"{path.parent.name}/{path.name}",
                lines=tuple((line, texts[line]) for line in lines[:MOST_LINES] if line in texts),
                more=max(0, len(lines) - MOST_LINES),
            )
        )
    return found


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
