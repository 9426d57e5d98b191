"""A run from plan to exit code: trials, histories, findings, claims, reports."""

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import harness
from harness import claims, counters
from harness.catalog import Catalog
from harness.checkers import judge
from harness.checkers.case import Case
from harness.engine import plan
from harness.engine.engines import Engine, Retry, Where
from harness.engine.local import DEFAULT_LIMIT_S, Job, Outcome
from harness.engine.trial import Trial
from harness.environment import NOT_ASKED, Environment, together
from harness.errors import UsageError
from harness.faults.fault import NONE
from harness.faults.selection import EVERY_FAULT, Faults
from harness.findings import DECIDED, Finding
from harness.history import reader
from harness.history.reader import History
from harness.machine import machine
from harness.report import write_reports
from harness.run_directory import SCHEMA_VERSION, RunDirectory
from harness.workloads import library, own_data
from harness.workloads.workload import Workload

References = dict[tuple[str, str, int], Case]  # by scenario, workload and ranks

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
    findings: tuple[Finding, ...]
    decisions: tuple[claims.Decision, ...]
    unavailable: tuple[plan.Unavailable, ...]
    interrupted: bool
    retries: tuple[Retry, ...] = ()

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
    outcome: Outcome,
    catalog: Catalog,
    workload: Workload,
    history: Path,
    environment: Environment,
    references: References | None = None,
) -> tuple[list[Finding], History]:
    """All findings of one trial that has ended, and the history they are from.

    A history that cannot be read is a finding, `unknown`; it is then returned without an operation.

    Args:
        references: what others may be the same as, of the trials judged so far; this one is added to them.
    """
    damage = ""
    try:
        read = reader.read(history)
    except UsageError as error:
        read, damage = History(()), str(error)
    references = {} if references is None else references
    trial, scenario = outcome.trial, catalog.scenarios[outcome.trial.scenario]
    if scenario.data:
        workload = own_data.seen(scenario, read)
    case = Case(
        trial, scenario, workload, read, environment, references.get((scenario.same_as, trial.workload, trial.ranks))
    )
    if trial.fault == NONE and scenario.id in {other.same_as for other in catalog.scenarios.values()}:
        references[scenario.id, trial.workload, trial.ranks] = case
    found = [case.property_finding("history", "*", "unknown", message=damage)] if damage else judge(case)
    return found, read


@dataclass(frozen=True)
class Judged:
    """A trial of a run that has ended, and what was found of it."""

    trial: Trial
    findings: list[Finding]
    history: History


@dataclass
class Run:
    """A run as far as it got; whatever ends it, `end` leaves that behind, readable.

    Attributes:
        chooses: of the trials that were asked for, those that are to be run; None for all.
        references: as of `judge_outcome`.
        deciding: findings of trials on as many ranks as the scenario declares: documents claim nothing of others.
        tallies: of the same trials.
    """

    directory: RunDirectory
    request: Request
    chooses: Callable[[Trial], bool] | None = None
    planned: plan.Plan | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
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
            Job(trial, directory.workload(trial.workload), directory.history(trial.id), directory.output(trial.id))
            for trial in trials
        ]
        for job, outcome in zip(jobs, warm.run(jobs), strict=True):
            where, workload = environments[job.trial.framework], workloads[job.trial.workload]
            found, history = judge_outcome(outcome, catalog, workload, job.history, where, self.references)
            as_declared = job.trial.ranks == catalog.scenarios[job.trial.scenario].ranks
            self._keep(outcome, found, history, where, as_declared)
            progress.judged(job.trial.id, [finding for finding in found if not finding.as_expected])
            yield Judged(job.trial, found, history)
        possible = _possible(catalog, request.device, environments)
        self.decisions = [
            claims.decide(claim, self.deciding, self.tallies, environment, possible)
            for claim in catalog.claims.values()
        ]
        directory.replace_json(directory.claims, [decision.to_json() for decision in self.decisions])

    def judged(self, trial: Trial) -> Judged:
        """One that has ended, as it was yielded then."""
        found = [finding for finding in self.findings if finding.trial == trial.id]
        return Judged(trial, found, reader.read(self.directory.history(trial.id)))

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
            yield Judged(trial, *judge_outcome(outcome, catalog, workload, job.history, where, self.references))

    def end(self, status: str) -> None:
        """Say how it ended."""
        self.status = status
        self._tell(status)

    def report(self) -> None:
        """Of what there is."""
        write_reports([self.directory], self.directory.path)

    def _keep(
        self, outcome: Outcome, found: list[Finding], history: History, environment: Environment, as_declared: bool
    ) -> None:
        counted = counters.count(history)
        for finding in found:
            self.directory.append(self.directory.findings, finding.to_json())
        self.directory.append(
            self.directory.timings,
            {
                "scenario": outcome.trial.scenario,
                "trial": outcome.trial.id,
                "environment": environment.title,
                "samples": [] if outcome.seconds is None else [outcome.seconds],
                "counters": counted,
                "peak_rss_bytes": outcome.peak_rss_bytes,
            },
        )
        self.findings += found
        if not as_declared:
            return
        self.deciding += found
        if history.operations:  # else it was damaged: nothing was counted, which is not the same as zero
            self.tallies[outcome.trial.scenario, outcome.trial.workload, outcome.trial.fault] = counted

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
                "counts": _count(self.findings, planned) if planned and status != "running" else {},
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
    return Result(run.directory, tuple(run.findings), tuple(run.decisions), unavailable, interrupted, retries)


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


def _count(findings: Sequence[Finding], planned: plan.Plan) -> dict[str, Any]:
    return {
        "trials": len(planned.trials),
        "unavailable": len(planned.unavailable),
        "findings": len(findings),
        "unexpected": sum(not finding.as_expected for finding in findings),
        "verdicts": dict(sorted(Counter(finding.verdict for finding in findings).items())),
    }
