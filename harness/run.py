"""A run from plan to exit code: trials, histories, findings, claims, reports."""

import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import harness
from harness import claims, counters
from harness.catalog import Catalog
from harness.checkers import judge
from harness.checkers.case import Case
from harness.engine import plan
from harness.engine.local import DEFAULT_LIMIT_S, Job, Outcome, engines
from harness.engine.trial import Trial
from harness.environment import NOT_ASKED, Environment, together
from harness.findings import DECIDED, Finding
from harness.history import reader
from harness.report import write_reports
from harness.run_directory import SCHEMA_VERSION, RunDirectory
from harness.workloads import library
from harness.workloads.workload import Workload

EXIT_AS_EXPECTED, EXIT_FINDING, EXIT_UNDECIDED = 0, 1, 3


class Progress(Protocol):
    """What a run tells while it goes on."""

    def planned(self, environment: str, trials: int, unavailable: int) -> None: ...
    def judged(self, trial: str, unexpected: Sequence[Finding]) -> None: ...


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    filters: tuple[str, ...] = ()
    device: str = "auto"
    seed: int = 0
    jobs: int = 1
    limit_s: float = DEFAULT_LIMIT_S
    prelude: str = ""


@dataclass(frozen=True)
class Result:
    directory: RunDirectory
    findings: tuple[Finding, ...]
    decisions: tuple[claims.Decision, ...]
    unavailable: tuple[plan.Unavailable, ...]
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """0 as expected, 1 a finding that is not, 3 if nothing ran or something could not be decided."""
        unexpected = [finding for finding in self.findings if not finding.as_expected]
        if any(finding.verdict in DECIDED for finding in unexpected) or any(
            not decision.as_expected for decision in self.decisions
        ):
            return EXIT_FINDING
        if unexpected or not self.findings or self.interrupted:
            return EXIT_UNDECIDED
        return EXIT_AS_EXPECTED


def judge_outcome(
    outcome: Outcome, catalog: Catalog, workload: Workload, history: Path, environment: Environment
) -> list[Finding]:
    """All findings of one trial that has ended."""
    return judge(
        Case(
            trial=outcome.trial,
            scenario=catalog.scenarios[outcome.trial.scenario],
            workload=workload,
            history=reader.read(history),
            environment=environment,
        )
    )


def execute(catalog: Catalog, request: Request, out: Path, progress: Progress) -> Result:
    """Run what was asked for, and leave a run directory behind, readable even if interrupted.

    Raises:
        HarnessError: with the exit code that says what kind of failure it was.
    """
    frameworks = catalog.frameworks(request.filters)  # a bad filter is told before anything is made or started
    directory = RunDirectory.create(out)
    started = time.monotonic()
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "harness_version": harness.__version__,
        "status": "running",
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": 0.0,
        "arguments": asdict(request) | {"filters": list(request.filters)},
        "seed": request.seed,
        "machine": {"platform": platform.platform(), "processors": os.cpu_count()},
        "environment": {},
        "unavailable": [],
        "counts": {},
    }
    directory.replace_json(directory.manifest, manifest)
    findings: list[Finding] = []
    tallies: claims.Tallies = {}
    decisions: list[claims.Decision] = []
    interrupted = False
    engine_log = (directory.path / "output" / "engine.txt").open("wb")
    with engine_log, engines(frameworks, request.jobs, request.limit_s, engine_log) as warm:
        environments = warm.environments
        environment = together(environments)
        planned = plan.make(catalog, request.filters, request.device, request.seed, environments)
        trials = [
            Trial(**{**asdict(trial), "prelude": request.prelude}) if request.prelude else trial
            for trial in planned.trials
        ]
        manifest["environment"] = environment.found
        manifest["unavailable"] = [asdict(item) for item in planned.unavailable]
        directory.replace_json(directory.manifest, manifest)
        progress.planned(environment.title, len(trials), len(planned.unavailable))
        workloads = _materialise(directory, trials, request.seed)
        jobs = [
            Job(trial, directory.workload(trial.workload), directory.history(trial.id), directory.output(trial.id))
            for trial in trials
        ]
        try:
            for job, outcome in zip(jobs, warm.run(jobs), strict=True):
                where = environments[job.trial.framework]
                found = judge_outcome(outcome, catalog, workloads[job.trial.workload], job.history, where)
                counted = counters.count(reader.read(job.history))
                _store(directory, outcome, found, counted, where)
                findings += found
                tallies[job.trial.scenario, job.trial.workload] = counted
                progress.judged(job.trial.id, [finding for finding in found if not finding.as_expected])
        except KeyboardInterrupt:
            interrupted = True
    if not interrupted:
        possible = _possible(catalog, request.device, environments)
        decisions = [
            claims.decide(claim, findings, tallies, environment, possible) for claim in catalog.claims.values()
        ]
        directory.replace_json(directory.claims, [decision.to_json() for decision in decisions])
    manifest["status"] = "interrupted" if interrupted else "complete"
    manifest["seconds"] = round(time.monotonic() - started, 3)
    manifest["counts"] = _count(findings, len(trials), len(planned.unavailable))
    directory.replace_json(directory.manifest, manifest)
    write_reports([directory], directory.path)
    return Result(directory, tuple(findings), tuple(decisions), planned.unavailable, interrupted)


def _possible(catalog: Catalog, device: str, environments: dict[str, Environment]) -> set[tuple[str, str]]:
    """Scenario and workload of every trial that can run here, or might: not every framework was asked."""
    asked = {framework: environments.get(framework, NOT_ASKED) for framework in catalog.frameworks(())}
    everything = plan.make(catalog, (), device, 0, asked)
    might = {
        (item.scenario, item.workload)
        for item in everything.unavailable
        if item.scenario in catalog.scenarios and catalog.scenarios[item.scenario].framework not in environments
    }
    return might | {(trial.scenario, trial.workload) for trial in everything.trials}


def _materialise(directory: RunDirectory, trials: Sequence[Trial], seed: int) -> dict[str, Workload]:
    workloads = {}
    for name in dict.fromkeys(trial.workload for trial in trials):
        workloads[name] = library.build(name, seed)
        workloads[name].save(directory.workload(name))
    return workloads


def _store(
    directory: RunDirectory,
    outcome: Outcome,
    findings: list[Finding],
    counters: dict[str, int],
    environment: Environment,
) -> None:
    for finding in findings:
        directory.append(directory.findings, finding.to_json())
    directory.append(
        directory.timings,
        {
            "scenario": outcome.trial.scenario,
            "trial": outcome.trial.id,
            "environment": environment.title,
            "samples": [] if outcome.seconds is None else [outcome.seconds],
            "counters": counters,
            "peak_rss_bytes": outcome.peak_rss_bytes,
        },
    )


def _count(findings: Sequence[Finding], trials: int, unavailable: int) -> dict[str, Any]:
    return {
        "trials": trials,
        "unavailable": unavailable,
        "findings": len(findings),
        "unexpected": sum(not finding.as_expected for finding in findings),
        "verdicts": dict(sorted(Counter(finding.verdict for finding in findings).items())),
    }
