"""Findings of runs as tables: which way gives the true number, what deviates as expected, what was checked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.faults.fault import NONE
from harness.findings import GRAVITY, Finding, in_words
from harness.report.plots import Bias
from harness.report.runs import FINE, Run
from harness.report.text import figure, percent, printable, relative_bias
from harness.verdicts import CELLS, FIGURES


@dataclass(frozen=True)
class Row:
    """One figure of a scenario in one run; a cell per workload, None where it was not run."""

    aggregate: str
    run: str
    placement: str
    cells: tuple[Finding | None, ...]


@dataclass(frozen=True)
class Way:
    """One scenario, and what each of its figures came to."""

    pattern: str
    variant: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Matrix:
    """The ways that one document gives, each on every workload."""

    document: str
    workloads: tuple[str, ...]
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class Deviation:
    """Findings of one scenario that are neither exact nor ok, and are known not to be."""

    run: str
    scenario: str
    verdict: str
    what: tuple[str, ...]
    workloads: tuple[str, ...]
    messages: tuple[str, ...]
    example: str


@dataclass(frozen=True)
class Checked:
    """What one checker, other than those of figures and cells, found in a run: without a fault, and under one."""

    run: str
    checker: str
    healthy: Mapping[str, int]
    under_faults: Mapping[str, int]
    unexpected: int


@dataclass(frozen=True)
class Absence:
    """Trials that could not run, for one reason."""

    run: str
    reason: str
    trials: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Fact:
    """One line about environments and machines; a value per run."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def frame(runs: Sequence[Run]) -> pd.DataFrame:
    """One line per finding, in the order in which they were found."""
    columns = ["run", "scenario", "document", "placement", "fault", "checker", "aggregate", "workload", "verdict"]
    columns += ["as_expected", "finding"]
    lines = [
        (
            # pandas with pyarrow has no place for the lone surrogates that a foreign text may hold
            *map(
                printable,
                (
                    run.label,
                    finding.scenario,
                    finding.scenario.split("/")[0],
                    finding.placement,
                    finding.fault,
                    finding.checker,
                    finding.aggregate,
                    finding.workload,
                    finding.verdict,
                ),
            ),
            finding.as_expected,
            finding,
        )
        for run in runs
        for finding in run.findings
    ]
    return pd.DataFrame(lines, columns=columns, dtype=object)


def matrices(findings: pd.DataFrame) -> list[Matrix]:
    """Scenario and figure against workload, a table per document; of trials without a fault."""
    figures = findings[(findings["checker"] == FIGURES) & (findings["fault"] == NONE)]
    several_placements = figures["placement"].nunique() > 1
    return [
        _matrix(str(document), group, several_placements) for document, group in figures.groupby("document", sort=False)
    ]


def _matrix(document: str, findings: pd.DataFrame, several_placements: bool) -> Matrix:
    workloads = list(findings["workload"].unique())
    ways = []
    for scenario, group in findings.groupby("scenario", sort=False):
        pivot = group.pivot_table(
            index=["aggregate", "placement", "run"], columns="workload", values="finding", aggfunc="first", sort=False
        ).reindex(columns=workloads)
        rows = [
            Row(
                aggregate=aggregate,
                run=run,
                placement=placement if several_placements else "",
                cells=tuple(cell if isinstance(cell, Finding) else None for cell in cells),
            )
            for (aggregate, placement, run), cells in zip(pivot.index, pivot.to_numpy(), strict=True)
        ]
        _, pattern, variant = str(scenario).split("/", 2)
        # One figure's runs stand below each other, so that a difference is seen.
        order = {name: place for place, name in enumerate(dict.fromkeys(row.aggregate for row in rows))}
        ways.append(Way(pattern, variant, tuple(sorted(rows, key=lambda row: (order[row.aggregate], row.placement)))))
    return Matrix(document, tuple(workloads), tuple(ways))


def deviations(findings: pd.DataFrame) -> list[Deviation]:
    """What is not exact or ok without a fault, as expected; one entry per run, scenario and verdict."""
    known = findings[
        findings["as_expected"].astype(bool) & ~findings["verdict"].isin(FINE) & (findings["fault"] == NONE)
    ]
    return [
        Deviation(
            run=str(run),
            scenario=str(scenario),
            verdict=str(verdict),
            what=tuple(dict.fromkeys(_what(finding) for finding in group["finding"])),
            workloads=tuple(group["workload"].unique()),
            messages=tuple(dict.fromkeys(finding.message for finding in group["finding"] if finding.message)),
            example=_example(list(group["finding"])),
        )
        for (run, scenario, verdict), group in known.groupby(["run", "scenario", "verdict"], sort=False)
    ]


def _what(finding: Finding) -> str:
    return finding.aggregate if finding.checker == FIGURES else f"{finding.checker}: {finding.aggregate}"


def _example(findings: Sequence[Finding]) -> str:
    """The epoch with the largest relative bias, in words; empty if there is none."""
    biased = [
        (bias, finding, epoch)
        for finding in findings
        for epoch in finding.per_epoch
        if (bias := relative_bias(epoch.observed, epoch.truth))
    ]
    if not biased:
        return ""
    bias, finding, epoch = max(biased, key=lambda each: abs(each[0]))
    return (
        f"Furthest off: {finding.aggregate} on {finding.on} in epoch {epoch.epoch}, "
        f"reported {figure(epoch.observed)}, the truth is {figure(epoch.truth)} ({percent(bias)})"
    )


def furthest_off(findings: pd.DataFrame) -> list[Bias]:
    """Ways whose figures are not the truth, without a fault, the furthest off first."""
    off = findings[
        (findings["checker"] == FIGURES) & (findings["fault"] == NONE) & findings["verdict"].isin(("biased", "wrong"))
    ]
    found = []
    for scenario, group in off.groupby("scenario", sort=False):
        biased = [
            (share, finding)
            for finding in group["finding"]
            if (share := relative_bias(finding.observed, finding.truth))
        ]
        if biased:
            share, finding = max(biased, key=lambda each: abs(each[0]))
            shares = tuple(dict.fromkeys((share, finding.verdict == "biased") for share, finding in biased))
            what = f"{percent(share)} on {finding.workload}"
            found.append((abs(share), Bias(str(scenario), shares, what)))
    return [bias for _, bias in sorted(found, key=lambda each: each[0], reverse=True)]


def checked(findings: pd.DataFrame) -> list[Checked]:
    others = findings[~findings["checker"].isin((FIGURES, CELLS))]
    return [
        Checked(
            run=str(run),
            checker=str(checker),
            healthy=count(group[group["fault"] == NONE]["verdict"]),
            under_faults=count(group[group["fault"] != NONE]["verdict"]),
            unexpected=sum(not finding.as_expected for finding in group["finding"]),
        )
        for (run, checker), group in others.groupby(["run", "checker"], sort=False)
    ]


def count(verdicts: Sequence[str] | pd.Series) -> dict[str, int]:
    """Verdict → how many, the mildest first."""
    counted = Counter(verdicts)
    return {verdict: counted[verdict] for verdict in GRAVITY if counted[verdict]}


def absences(runs: Sequence[Run]) -> list[Absence]:
    """Trials that were asked for and could not run, by reason."""
    grouped: dict[tuple[str, str], dict[str, list[str]]] = {}
    for run in runs:
        for trial in run.manifest["unavailable"]:
            scenarios = grouped.setdefault((run.label, trial["reason"]), {})
            on = in_words(trial["workload"], trial["fault"])
            on += f" on {ranks} ranks" if (ranks := trial.get("ranks", 1)) > 1 else ""
            scenarios.setdefault(trial["scenario"], []).append(on)
    return [Absence(run, reason, trials) for (run, reason), trials in grouped.items()]


def facts(runs: Sequence[Run]) -> list[Fact]:
    """Environment, machine and request of every run, a value for each."""
    described = [_describe(run) for run in runs]
    names = dict.fromkeys(name for facts in described for name in facts)
    return [Fact(name, tuple(facts.get(name, "–") for facts in described)) for name in names]


def _describe(run: Run) -> dict[str, str]:
    manifest, environment = run.manifest, run.manifest["environment"]
    return {
        **(_describe_environment(environment) if environment else {"Environment": run.environment}),
        "Machine": f"{manifest['machine']['platform']}, {manifest['machine']['processors'] or 'unknown'} processors",
        "Asked for": " ".join(manifest["arguments"]["filters"]) or "everything",
        "Under faults": " ".join(manifest["arguments"]["faults"]),
        "Seed": str(manifest["seed"]),
        "Started": manifest["started_at"],
        "Took": f"{manifest['seconds']:.1f} s" if manifest["seconds"] else "not known",
        "Slowest trial": _slowest(run),
        "Harness": manifest["harness_version"],
    }


def _describe_environment(environment: Mapping[str, Any]) -> dict[str, str]:
    cuda = environment["cuda"]
    return {
        "Framework imported": environment["module"]
        or f"none: {environment['unavailable'] or environment['framework']}",
        "Python": environment["python"],
        **environment["packages"],
        "CUDA": cuda["device"] or "available" if cuda["available"] else f"none: {cuda['reason']}",
    }


def _slowest(run: Run) -> str:
    timed = [(max(timing["samples"]), timing["trial"]) for timing in run.timings if timing["samples"]]
    if not timed:
        return "–"
    seconds, trial = max(timed)
    return f"{seconds:.1f} s ({trial})"
