"""A run from plan to exit code: trials, histories, findings, claims, reports."""

import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import harness
from harness import claims
from harness.catalog import Catalog
from harness.engine import plan
from harness.engine.engines import Engine, Retry, Where
from harness.engine.local import DEFAULT_LIMIT_S, Job, Outcome
from harness.engine.trial import Trial
from harness.environment import NOT_ASKED, Environment, together
from harness.faults.selection import EVERY_FAULT, Faults
from harness.findings import Finding
from harness.judging import Judged, References, judge_outcome, where_it_ran
from harness.machine import machine
from harness.report import write_reports
from harness.run_directory import SCHEMA_VERSION, RunDirectory
from harness.verdicts import Verdicts
from harness.workloads import library
from harness.workloads.workload import Workload

EXIT_AS_EXPECTED, EXIT_FINDING, EXIT_UNDECIDED = 0, 1, 3


class Progress(Protocol):
    """What a run tells while it goes on."""

    def planned(self, environment: str, trials: int, unavailable: int) -> None: ...
    def judged(self, trial: str, unexpected: Sequence[Finding]) -> None: ...


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        python: the interpreter whose environment is under test; empty for the one that runs the harness.
        ranks: on how many each scenario is to run; empty for as many as it declares.
    """

    filters: tuple[str, ...] = ()
    faults: Faults = EVERY_FAULT
    device: str = "auto"
    seed: int = 0
    jobs: int = 1
    limit_s: float = DEFAULT_LIMIT_S
    prelude: str = ""
    python: str = ""
    ranks: tuple[int, ...] = ()
    where: Where = field(default_factory=Where)

    def to_json(self) -> dict[str, Any]:
        told = {name: value for name, value in (vars(self) | vars(self.where)).items() if name != "where"}
        lists = {name: list(told[name]) for name in ("filters", "ranks", "requirements")}
        return {**told, **lists, "faults": list(self.faults.arguments)}


@dataclass(frozen=True)
class Result:
    directory: RunDirectory
    verdicts: Verdicts
    decisions: tuple[claims.Decision, ...]
    unavailable: tuple[plan.Unavailable, ...]
    interrupted: bool
    retries: tuple[Retry, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 as expected, 1 a finding that is not, 3 if nothing ran or something could not be decided."""
        if self.verdicts.decided or any(not decision.as_expected for decision in self.decisions):
            return EXIT_FINDING
        if self.verdicts.undecided or not self.verdicts.findings or self.interrupted:
            return EXIT_UNDECIDED
        return EXIT_AS_EXPECTED


@dataclass
class Run:
    """A run as far as it got; whatever ends it, `end` leaves that behind, readable.

    Attributes:
        chooses: of the trials that were asked for, those that are to be run; None for all.
        references: as of `judge_outcome`.
        verdicts: of all findings; they themselves are on disk.
        deciding, tallies: what claims are decided by.
    """

    directory: RunDirectory
    request: Request
    chooses: Callable[[Trial], bool] | None = None
    planned: plan.Plan | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    verdicts: Verdicts = field(default_factory=Verdicts)
    deciding: list[Finding] = field(default_factory=list)
    tallies: claims.Tallies = field(default_factory=dict)
    references: References = field(default_factory=dict)
    decisions: list[claims.Decision] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    status: str = "running"
    warm: Engine | None = None

    @contextmanager
    def engines(self, frameworks: Iterable[str], packages: Iterable[str]) -> Iterator[Engine]:
        """Start those that it needs.

        Args:
            packages: as `harness.engine.engines.Where.start`.
        """
        self._tell("running")
        request = self.request
        with (self.directory.path / "output" / "engine.txt").open("wb") as log:
            python = request.python or sys.executable
            with request.where.start(frameworks, request.jobs, request.limit_s, log, python, packages) as warm:
                self.warm = warm
                yield warm

    def carry_out(
        self, catalog: Catalog, workloads: dict[str, Workload], warm: Engine, progress: Progress
    ) -> Iterator[Judged]:
        """All that was asked for, trial by trial; afterwards claims are decided."""
        request, directory = self.request, self.directory
        environments = warm.environments
        environment = together(environments)
        # Whatever is of a framework that was not started is no part of this run.
        known = {framework: environments.get(framework, NOT_ASKED) for framework in catalog.frameworks(())}
        planned = plan.make(
            catalog, request.filters, request.device, request.seed, known, request.faults, request.ranks
        )
        unavailable = tuple(item for item in planned.unavailable if _may_be_of(catalog, item, environments))
        trials = [
            replace(trial, prelude=request.prelude)
            for trial in planned.trials
            if not self.chooses or self.chooses(trial)
        ]
        self.planned = plan.Plan(tuple(trials), unavailable)
        self.environment = environment.found
        self._tell("running")
        progress.planned(environment.title, len(trials), len(unavailable))
        for name in dict.fromkeys(trial.workload for trial in trials):
            workloads[name].save(directory.workload(name))
        jobs = [
            Job(
                trial,
                directory.workload(trial.workload),
                directory.history(trial.id),
                directory.output(trial.id),
                where_it_ran(catalog, trial, environments[trial.framework]),
            )
            for trial in trials
        ]
        decides = claims.evidence(catalog.claims.values(), catalog.scenarios)
        for job, outcome in zip(jobs, warm.run(jobs), strict=True):
            trial, where = job.trial, environments[job.trial.framework]
            judged = judge_outcome(outcome, catalog, workloads[trial.workload], job.history, where, self.references)
            self._keep(outcome, judged, where)
            # Documents claim nothing of other numbers of ranks.
            if trial.scenario in decides and trial.ranks == catalog.scenarios[trial.scenario].ranks:
                self.deciding += judged.findings
                if judged.counters is not None:
                    self.tallies[trial.scenario, trial.workload, trial.fault] = judged.counters
            progress.judged(trial.id, [finding for finding in judged.findings if not finding.as_expected])
            yield judged
        possible = _possible(catalog, request.device, environments)
        self.decisions = [
            claims.decide(claim, self.deciding, self.tallies, environment, possible)
            for claim in catalog.claims.values()
        ]
        directory.replace_json(directory.claims, [decision.to_json() for decision in self.decisions])

    def judged(self, trials: Collection[Trial]) -> dict[str, Judged]:
        """Of those that have ended, by id, what was yielded then; but for their counters."""
        found: dict[str, list[Finding]] = {trial.id: [] for trial in trials}
        for finding in self.directory.read_findings():
            if finding.trial in found:
                found[finding.trial].append(finding)
        return {each.id: Judged(each, found[each.id], None, self.directory.history(each.id)) for each in trials}

    def again(
        self, trials: Iterable[Trial], catalog: Catalog, workloads: Mapping[str, Workload], warm: Engine, folder: Path
    ) -> Iterator[Judged]:
        """Trials of this run once more; nothing of that is kept but in `folder`, which is made."""
        folder.mkdir()
        jobs = [
            Job(
                trial, self.directory.workload(trial.workload), folder / f"{trial.id}.jsonl", folder / f"{trial.id}.txt"
            )
            for trial in trials
        ]
        for job, outcome in zip(jobs, warm.run(jobs), strict=True):
            trial, where = job.trial, warm.environments[job.trial.framework]
            workload = workloads[trial.workload]
            yield judge_outcome(outcome, catalog, workload, job.history, where, self.references)

    def end(self, status: str) -> None:
        """Say how it ended."""
        self.status = status
        self._tell(status)

    def report(self) -> None:
        """Of what there is."""
        write_reports([self.directory], self.directory.path)

    def _keep(self, outcome: Outcome, judged: Judged, environment: Environment) -> None:
        self.directory.append(self.directory.findings, *(finding.to_json() for finding in judged.findings))
        self.directory.append(
            self.directory.timings,
            {
                "scenario": outcome.trial.scenario,
                "trial": outcome.trial.id,
                "environment": environment.title,
                "samples": [] if outcome.seconds is None else [outcome.seconds],
                "counters": judged.counters or {},
                "peak_rss_bytes": outcome.peak_rss_bytes,
            },
        )
        self.verdicts.add(judged.findings)

    def _tell(self, status: str) -> None:
        """Write the manifest."""
        request, planned = self.request, self.planned
        self.directory.replace_json(
            self.directory.manifest,
            {
                "schema_version": SCHEMA_VERSION,
                "harness_version": harness.__version__,
                "status": status,
                "started_at": self.started_at,
                "seconds": 0.0 if status == "running" else round(time.monotonic() - self.started, 3),
                "arguments": request.to_json(),
                "seed": request.seed,
                "machine": machine(),
                "environment": self.environment,
                "unavailable": [asdict(item) for item in planned.unavailable] if planned else [],
                "retries": [asdict(each) for each in self.warm.retries] if self.warm else [],
                "counts": _count(self.verdicts, planned) if planned and status != "running" else {},
            },
        )


def execute(catalog: Catalog, request: Request, out: Path, progress: Progress) -> Result:
    """Run what was asked for, and leave a run directory behind, readable even if interrupted.

    What cannot be carried out as asked for is told before the directory is made. If the harness itself fails later,
    the run is marked as failed, and what there is by then is kept and reported.

    Raises:
        HarnessError: with the exit code that says what kind of failure it was.
    """
    names = dict.fromkeys(each.workload for each in plan.asked(catalog, request.filters, request.faults, request.ranks))
    workloads = {name: library.build(name, request.seed) for name in names}
    run = Run(RunDirectory.create(out), request)
    interrupted = False
    try:
        with run.engines(catalog.frameworks(request.filters), catalog.packages) as warm:
            deque(run.carry_out(catalog, workloads, warm, progress), maxlen=0)
        run.end("complete")
        run.report()
    except KeyboardInterrupt:
        interrupted = True
        run.end("interrupted")
        run.report()
    except BaseException:
        with suppress(Exception):  # of two failures, the first is told
            run.end("failed")
            run.report()
        raise
    unavailable = run.planned.unavailable if run.planned else ()
    retries = tuple(run.warm.retries) if run.warm else ()
    return Result(run.directory, run.verdicts, tuple(run.decisions), unavailable, interrupted, retries)


def _possible(catalog: Catalog, device: str, environments: dict[str, Environment]) -> set[claims.Key]:
    """Scenario, workload and fault of every trial that can run here, or might: not every framework was asked."""
    asked = {framework: environments.get(framework, NOT_ASKED) for framework in catalog.frameworks(())}
    everything = plan.make(catalog, (), device, 0, asked)
    might = {
        (item.scenario, item.workload, item.fault)
        for item in everything.unavailable
        if not _may_be_of(catalog, item, environments)
    }
    return might | {(trial.scenario, trial.workload, trial.fault) for trial in everything.trials}


def _may_be_of(catalog: Catalog, item: plan.Unavailable, frameworks: Iterable[str]) -> bool:
    """Whether a trial that cannot run is one of these frameworks; of a file that cannot be read, nobody knows."""
    return item.scenario not in catalog.scenarios or catalog.scenarios[item.scenario].framework in frameworks


def _count(verdicts: Verdicts, planned: plan.Plan) -> dict[str, Any]:
    return {
        "trials": len(planned.trials),
        "unavailable": len(planned.unavailable),
        "findings": verdicts.findings,
        "unexpected": verdicts.unexpected,
        "verdicts": dict(sorted(verdicts.every.items())),
    }
