"""Runs the trials of a pytest session, and says in words what was unexpected. Heavy; imported with the first item."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from harness.engine import plan
from harness.engine.local import Engines, Job, Outcome, engines
from harness.engine.trial import Trial
from harness.environment import Environment, together
from harness.errors import HarnessError
from harness.faults.selection import NO_FAULT
from harness.findings import FIGURES, Finding
from harness.history import reader
from harness.history.reader import History
from harness.judging import References, judge_outcome
from harness.pytest_scenarios import ROUNDS, Selection, warnings_aside
from harness.pytest_summary import Ended
from harness.run import Request, Run
from harness.run_directory import RunDirectory
from harness.workloads import library
from harness.workloads.workload import Workload

SEED = 0


@dataclass(frozen=True)
class Judged:
    """One trial that has ended, with its verdicts."""

    outcome: Outcome
    findings: list[Finding]
    history: History
    job: Job
    environment: Environment
    declared_at: str

    @property
    def seconds(self) -> float:
        return self.outcome.seconds or 0.0

    @property
    def completed(self) -> bool:
        return self.history.first("trial", "ok") is not None

    @property
    def unexpected(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.as_expected]

    @property
    def properties(self) -> list[tuple[str, str]]:
        """For junit.xml."""
        verdicts = [(f"verdict:{finding.checker}:{finding.aggregate}", finding.verdict) for finding in self.findings]
        return [("environment", self.environment.title), ("device", self.outcome.trial.device), *verdicts]

    @cached_property
    def batches(self) -> int:
        """How many batches were completed, of all epochs and stages."""
        return sum(1 for _ in self.history.select("batch", "ok"))

    @property
    def facts(self) -> dict[str, object]:
        """What a round consists of, to stand beside its time."""
        trial = self.outcome.trial
        return {
            "scenario": trial.scenario,
            "workload": trial.workload,
            "device": trial.device,
            "environment": self.environment.title,
            "batches": self.batches,
            "samples": sum(len(batch.value["ids"]) for batch in self.history.select("batch", "ok")),
        }

    @property
    def explanation(self) -> str:
        """What was unexpected, and the history lines that show it."""
        trial = self.outcome.trial
        return "\n".join(
            [
                *(line for finding in self.unexpected for line in self._explain(finding)),
                f"scenario:    {trial.scenario}, declared at {self.declared_at}",
                f"workload:    {trial.workload}, on {trial.device}",
                f"environment: {self.environment.title}",
                f"history:     {self.job.history}",
                f"output:      {self.job.output}",
            ]
        )

    def _explain(self, finding: Finding) -> Iterator[str]:
        yield f"{finding.checker} {finding.aggregate}: {finding.verdict}, expected {finding.expected_verdict}"
        if finding.message:
            yield f"  {finding.message}"
        if finding.epoch is not None:
            yield f"  epoch       {finding.epoch}"
        for name in (*FIGURES, "bias"):
            value = getattr(finding, name)
            if value is not None:
                yield f"  {name:<11} {value:.10g}"
        lines = reader.abridged(self.job.history, finding.evidence)
        if lines:
            yield "  lines of the history that show it:"
        for number, text in lines:
            yield f"  {number:>6}  {text}"
        yield ""


@dataclass
class Trials:
    """What can run here, and how; made by :func:`started`.

    Attributes:
        record: what is kept of it.
        asked: how many items are to run here; None if nobody knows: workers of xdist are given theirs one by one.
        ended: those that ran, in order.
    """

    selection: Selection
    directory: RunDirectory
    engines: Engines
    planned: plan.Plan
    record: Run
    asked: int | None = 0
    ended: list[Ended] = field(default_factory=list)
    _workloads: dict[str, Workload] = field(default_factory=dict)
    _rounds: Counter[str] = field(default_factory=Counter)
    _references: References = field(default_factory=dict)

    def unavailable(self, scenario: str, workload: str) -> str:
        """Why it cannot run here; empty if it can."""
        for item in self.planned.unavailable:
            if (item.scenario, item.workload) == (scenario, workload):
                return item.reason
        return ""

    def run(self, scenario: str, workload: str) -> Judged:
        """Run it once more, and judge it. Every round has a history of its own."""
        declared = self.selection.catalog.scenarios[scenario]
        same_as, reference = declared.same_as, (declared.same_as, workload, declared.ranks)
        if same_as and reference not in self._references and not self.unavailable(same_as, workload):
            self.run(same_as, workload)
        trial = self._trial(scenario, workload)
        self._rounds[trial.id] += 1
        round_id = f"{trial.id}--round-{self._rounds[trial.id]}"
        arrays, history = self.directory.workload(workload), self.directory.history(round_id)
        job = Job(trial, arrays, history, self.directory.output(round_id))
        samples = self._materialise(workload, arrays)
        [outcome] = self.engines.run([job])
        environment = self.engines.environments[trial.framework]
        judged = judge_outcome(outcome, self.selection.catalog, samples, history, environment, self._references)
        declared_at = self.selection.catalog.scenarios[scenario].declared_at
        return Judged(outcome, judged.findings, judged.history, job, environment, declared_at)

    def keep(self, rounds: Sequence[Judged]) -> None:
        """Of an item that ran, the verdicts of its last round and all times."""
        last = rounds[-1]
        trial, timed = last.outcome.trial, len(rounds) == ROUNDS and last.completed and not last.unexpected
        batch_s = median(each.seconds for each in rounds) / last.batches if timed and last.batches else None
        self.ended.append(Ended(trial.scenario, trial.workload, trial.framework, last.findings, batch_s))
        name = last.job.history.stem
        findings = [replace(finding, trial=name) for finding in last.findings]
        self.record.verdicts.add(findings)
        self.directory.append(self.directory.findings, *(finding.to_json() for finding in findings))
        timing: dict[str, Any] = {
            "scenario": trial.scenario,
            "trial": name,
            "environment": last.environment.title,
            "samples": [each.seconds for each in rounds],
            "counters": {},
            "peak_rss_bytes": last.outcome.peak_rss_bytes,
        }
        self.directory.append(self.directory.timings, timing)

    @property
    def report(self) -> Path | None:
        """None if it could not be written, or was removed."""
        path = self.directory.path / "report.html"
        return path if path.exists() else None

    def _trial(self, scenario: str, workload: str) -> Trial:
        return next(trial for trial in self.planned.trials if (trial.scenario, trial.workload) == (scenario, workload))

    def _materialise(self, name: str, path: Path) -> Workload:
        if name not in self._workloads:
            self._workloads[name] = library.build(name, SEED)
            self._workloads[name].save(path)
        return self._workloads[name]


@contextmanager
def started(selection: Selection, folder: Path) -> Iterator[Trials]:
    """Start an engine for every framework that is needed; leaving ends whatever it started.

    Raises:
        HarnessError: no engine can be started here.
    """
    directory = RunDirectory.create(folder)
    with (directory.path / "output" / "engine.txt").open("wb") as log, engines(selection.frameworks, log=log) as warm:
        planned = plan.make(selection.catalog, selection.filters, selection.device, SEED, warm.environments, NO_FAULT)
        request = Request(selection.filters, NO_FAULT, selection.device, SEED)
        record = Run(directory, request, planned=planned, environment=together(warm.environments).found)
        trials = Trials(selection, directory, warm, planned, record)
        try:
            yield trials
        finally:
            with warnings_aside(), suppress(OSError, HarnessError):  # what was judged was told before
                directory.replace_json(directory.claims, [])  # it decides none
                record.end("complete" if trials.asked in (None, len(trials.ended)) else "interrupted")
                record.report()
