"""Run directories as the reports see them, and the headline of each."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.environment import Environment
from harness.faults.fault import NONE
from harness.findings import Finding, gravest
from harness.run_directory import RunDirectory
from harness.verdicts import FIGURES, Verdicts

FRAMEWORKS = ("pytorch-lightning", "lightning", "keras", "torch")
FINE = ("exact", "ok")


@dataclass(frozen=True)
class Run:
    """What one run directory holds.

    Attributes:
        label: tells it from the others in the same report.
        overlap: what was measured of validation beside training; None if nothing was.
        bench: what was measured of strategies; None if nothing was.
        missing: what was there once and is not, or cannot be read, in words; empty if the directory is whole.
    """

    label: str
    directory: RunDirectory
    manifest: Mapping[str, Any]
    findings: tuple[Finding, ...]
    claims: tuple[Mapping[str, Any], ...]
    timings: tuple[Mapping[str, Any], ...]
    overlap: Mapping[str, Any] | None = None
    bench: Mapping[str, Any] | None = None
    missing: tuple[str, ...] = ()

    @property
    def environment(self) -> str:
        return environment_title(self.manifest)

    @property
    def versions(self) -> str:
        """Of the frameworks alone."""
        packages = self.manifest["environment"].get("packages", {})
        return ", ".join(f"{name} {packages[name]}" for name in FRAMEWORKS if name in packages)

    @cached_property
    def unexpected(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.as_expected]

    @cached_property
    def by_trial(self) -> dict[str, list[Finding]]:
        trials: dict[str, list[Finding]] = {}
        for finding in self.findings:
            trials.setdefault(finding.trial, []).append(finding)
        return trials

    @property
    def planned(self) -> int | None:
        """How many trials were planned; None if the run ended before it wrote that down."""
        trials: int | None = self.manifest["counts"].get("trials")
        return trials

    @property
    def complete(self) -> bool:
        return bool(self.manifest["status"] == "complete")

    @property
    def lacks(self) -> tuple[str, ...]:
        """Why the report does not show all that was asked for, in words; empty if it does."""
        return (*filter(None, [unfinished(self)]), *self.missing)


@dataclass(frozen=True)
class Headline:
    """What a run comes to, in ten seconds.

    Attributes:
        tone: `good` (all as expected), `bad` (something is not), or `open` (not decided).
        ways: per documented way, controls aside, the gravest verdict of its figures on any workload;
            verdict → number of ways.
        figures: verdict → number of figures in trials without a fault.
        under_faults: how many trials ran under a fault.
        cells: verdict → number of hooks in them.
    """

    tone: str
    title: str
    unfinished: str
    ways: Mapping[str, int]
    figures: Mapping[str, int]
    trials: int
    under_faults: int
    cells: Mapping[str, int]
    unexpected_claims: int


def read(directories: Sequence[RunDirectory]) -> list[Run]:
    """What there is of them; what of it is damaged or gone is told by `Run.missing`.

    Raises:
        UsageError: a manifest, or a file that is there, cannot be read at all.
    """
    labelled = zip(labels([directory.path for directory in directories]), directories, strict=True)
    return [_read(label, directory) for label, directory in labelled]


def _read(label: str, directory: RunDirectory) -> Run:
    damage: list[str] = []
    run = Run(
        label=label,
        directory=directory,
        manifest=directory.read_manifest(),
        findings=tuple(directory.read_findings(damage)),
        claims=tuple(directory.read_claims(damage)),
        timings=tuple(directory.read_timings(damage)),
        overlap=directory.read_overlap(damage),
        bench=directory.read_bench(damage),
    )
    return replace(run, missing=(*damage, *_gone(run)))


def _gone(run: Run) -> Iterator[str]:
    """What was written, as far as that can be told from the rest, and is no longer there."""
    directory, counted = run.directory, run.manifest["counts"].get("findings", 0)
    if len(run.findings) < counted:
        yield f"{directory.findings} holds {len(run.findings)} of {counted} findings"
    timed = {timing["trial"] for timing in run.timings}
    untimed = [trial for trial in run.by_trial if trial not in timed]
    if untimed and (timed or not directory.timings.exists()):
        yield f"{directory.timings} says nothing of {_so_many(untimed)}"
    if run.complete and not directory.claims.exists():
        yield f"{directory.claims} is gone"
    # not by Path, which raises for names that no file can have
    gone = [trial for trial in run.by_trial if not os.path.exists(directory.history(trial))]
    if gone:
        yield f"the history is gone of {_so_many(gone)}"


def _so_many(trials: Sequence[str]) -> str:
    return f"{len(trials)} trials, first of all {trials[0]}" if len(trials) > 1 else f"trial {trials[0]}"


def labels(paths: Sequence[Path]) -> list[str]:
    """The folders' names, numbered where they would not tell the runs apart."""
    names = [path.resolve().name for path in paths]
    if len(set(names)) == len(names):
        return names
    return [f"{number}: {name}" for number, name in enumerate(names, 1)]


def environment_title(manifest: Mapping[str, Any]) -> str:
    found = manifest["environment"]
    return Environment(found).title if found else "environment not known: the run ended before it was asked"


def headline(run: Run) -> Headline:
    unexpected_claims = sum(not claim["as_expected"] for claim in run.claims)
    verdicts = Verdicts.of(run.by_trial.values())
    if verdicts.decided or unexpected_claims:
        parts = [
            f"{count} {noun}{'' if count == 1 else 's'}"
            for count, noun in ((verdicts.unexpected, "finding"), (unexpected_claims, "claim"))
            if count
        ]
        one = verdicts.unexpected + unexpected_claims == 1
        tone, title = "bad", f"{' and '.join(parts)} {'is' if one else 'are'} not as expected"
    elif verdicts.undecided:
        tone, title = (
            "open",
            f"{verdicts.undecided} finding{'' if verdicts.undecided == 1 else 's'} could not be decided",
        )
    elif not verdicts.findings:
        tone, title = "open", "Nothing ran"
    else:
        tone, title = ("open" if run.lacks else "good"), "Everything found is as expected"
    figures = [finding for finding in run.findings if finding.checker == FIGURES and finding.fault == NONE]
    return Headline(
        tone=tone,
        title=title,
        unfinished=unfinished(run),
        ways=Counter(_ways(figures).values()),
        figures=verdicts.figures,
        trials=verdicts.trials,
        under_faults=verdicts.under_faults,
        cells=verdicts.cells,
        unexpected_claims=unexpected_claims,
    )


def unfinished(run: Run) -> str:
    """Why the run does not tell all it was asked for; empty if it does."""
    if run.complete:
        return ""
    word = {
        "interrupted": "The run was interrupted",
        "failed": "The harness failed during the run",
        "running": "The run has not ended, or was killed",
    }[run.manifest["status"]]
    of = "" if run.planned is None else f" of {run.planned}"
    claims = "" if run.claims else "; claims were not decided"
    return f"{word}: {len(run.by_trial)}{of} trials were judged{claims}."


def _ways(figures: Sequence[Finding]) -> dict[str, str]:
    verdicts: dict[str, list[str]] = {}
    for finding in figures:
        # A control leaves a step out on purpose; no document recommends it.
        if not finding.scenario.endswith("/control"):
            verdicts.setdefault(finding.scenario, []).append(finding.verdict)
    return {scenario: gravest(found) for scenario, found in verdicts.items()}
