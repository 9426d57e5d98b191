"""A run from plan to exit code, with engines that only write histories: whatever ends it, what there is is kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import run
from harness.catalog import Catalog
from harness.engine import local
from harness.engine.local import Job, Outcome
from harness.environment import Environment
from harness.errors import HarnessError, UsageError
from harness.history import reader
from harness.history.recorder import Recorder
from harness.oracle.quantities import mean_of_outputs
from harness.run import Request, Result, execute
from harness.run_directory import RunDirectory
from harness.scenario import Aggregate, Claim, Fewer, Scenario

SCENARIO = Scenario(
    pattern="a/mean", variant="recommended", source="", module=object, workloads=("digits/*",),
    aggregates=(Aggregate("mean", of=mean_of_outputs, stage="train"),), framework="lightning", hooks=(),
    expects=(), needs="", predictions_from="", trainer={}, locator="pack.mean", declared_at="",
)  # fmt: skip
CLAIM = Claim(
    "a.claim", "", "", holds_when=(Fewer("operations", "a/mean/recommended", than="a/mean/recommended"),), expects=()
)
ENVIRONMENT: dict[str, Any] = {
    "python": "3.11.7", "executable": "python", "packages": {}, "framework": "lightning", "module": "",
    "unavailable": "", "cuda": {"available": False, "reason": "none", "device": "", "count": 0},
}  # fmt: skip
TWO = ("a/*@digits/even", "a/*@digits/ragged")
ENDED = {
    "status": 0,
    "timed_out": False,
    "limit_s": 60.0,
    "where": "",
    "peak_rss_bytes": None,
    "left_behind": 0,
    "leftovers": [],
}


class Quiet:
    def planned(self, environment: str, trials: int, unavailable: int) -> None: ...
    def judged(self, trial: str, unexpected: Sequence[object]) -> None: ...


def write_history(job: Job) -> None:
    recorder = Recorder(job.history)
    recorder.write("trial", "invoke")
    recorder.write("exit", "info", ENDED)
    recorder.close()


@dataclass(frozen=True)
class Engines:
    trial: Callable[[Job], None]
    environments: dict[str, Environment]
    retries: tuple[()] = ()
    in_a_row: int = 1

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        for job in jobs:
            self.trial(job)
            yield Outcome(trial=job.trial, seconds=0.5, **ENDED)  # type: ignore[arg-type]


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Carries out a request in the folder `run`; what happens where an engine starts and in a trial is given."""

    def call(
        *filters: str, trial: Callable[[Job], None] = write_history, start: Callable[[], None] = lambda: None
    ) -> Result:
        @contextmanager
        def engines(*_: object) -> Iterator[Engines]:
            start()
            yield Engines(trial, {"lightning": Environment(ENVIRONMENT)})

        monkeypatch.setattr(local, "engines", engines)
        catalog = Catalog({SCENARIO.id: SCENARIO}, {CLAIM.id: CLAIM})
        return execute(catalog, Request(filters or TWO), tmp_path / "run", Quiet())

    return call


def raising(error: BaseException) -> Callable[..., None]:
    def call(*_: object) -> None:
        raise error

    return call


def only_the_first(error: BaseException) -> Callable[[Job], None]:
    """A trial that goes well on the first workload, and raises on others."""

    def trial(job: Job) -> None:
        if job.trial.workload != "digits/even":
            raise error
        write_history(job)

    return trial


def status(directory: RunDirectory) -> str:
    return str(RunDirectory.open(directory.path).read_manifest()["status"])


def judged(directory: RunDirectory) -> set[str]:
    return {finding.workload for finding in directory.read_findings()}


def test_a_run_that_ends_is_complete(running: Callable[..., Result]) -> None:
    result = running()
    assert status(result.directory) == "complete"
    assert judged(result.directory) == {"digits/even", "digits/ragged"}
    assert [decision.verdict for decision in result.decisions] == ["undecided"]  # not all of digits was run


@pytest.mark.parametrize("filter", ["a/*@iris/even", "b/*", "a/*@digits/train=600x32,validation=1", "absent.py"])
def test_what_cannot_be_carried_out_makes_no_directory(
    running: Callable[..., Result], tmp_path: Path, filter: str
) -> None:
    with pytest.raises(UsageError):
        running(filter)
    assert not (tmp_path / "run").exists()


def test_an_interrupt_while_an_engine_starts_leaves_a_run_of_nothing(running: Callable[..., Result]) -> None:
    result = running(start=raising(KeyboardInterrupt()))
    assert status(result.directory) == "interrupted"
    assert result.exit_code == 3
    assert "interrupted" in (result.directory.path / "report.md").read_text()


def test_an_interrupt_in_a_trial_keeps_the_others(running: Callable[..., Result]) -> None:
    result = running(trial=only_the_first(KeyboardInterrupt()))
    assert status(result.directory) == "interrupted"
    assert judged(result.directory) == {"digits/even"}
    assert result.directory.read_manifest()["counts"]["trials"] == 2
    assert not result.directory.claims.exists()


def test_an_interrupt_while_the_report_is_written_is_one_too(
    running: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = run.write_reports, []

    def first_interrupted(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        write(*arguments)

    monkeypatch.setattr(run, "write_reports", first_interrupted)
    result = running()
    assert result.interrupted
    assert status(result.directory) == "interrupted"
    assert (result.directory.path / "report.html").exists()


def test_an_engine_that_does_not_start_leaves_a_failed_run(running: Callable[..., Result], tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no engine"):
        running(start=raising(HarnessError("no engine")))
    assert status(RunDirectory(tmp_path / "run")) == "failed"


def test_a_harness_that_fails_keeps_and_reports_what_was_judged(running: Callable[..., Result], tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        running(trial=only_the_first(ZeroDivisionError()))
    directory = RunDirectory(tmp_path / "run")
    assert status(directory) == "failed"
    assert judged(directory) == {"digits/even"}
    assert "harness failed" in (directory.path / "report.md").read_text()


def test_of_two_failures_the_first_is_told(running: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "write_reports", raising(OSError(28, "No space left")))
    with pytest.raises(ZeroDivisionError):
        running(trial=raising(ZeroDivisionError()))


def damaged(job: Job) -> None:
    write_history(job)
    if job.trial.workload == "digits/even":
        job.history.write_text("no operation\n" + job.history.read_text())


def test_a_damaged_history_is_a_finding_of_its_trial_and_the_others_go_on(running: Callable[..., Result]) -> None:
    result = running(trial=damaged)
    (finding,) = (finding for finding in result.directory.read_findings() if finding.workload == "digits/even")
    assert (finding.checker, finding.verdict, finding.as_expected) == ("history", "unknown", False)
    assert "line 1, is not an operation of a history" in finding.message
    assert status(result.directory) == "complete"
    assert judged(result.directory) == {"digits/even", "digits/ragged"}


@pytest.mark.parametrize(("trial", "verdict"), [(write_history, "refuted"), (damaged, "undecided")])
def test_nothing_is_counted_in_a_damaged_history(
    running: Callable[..., Result], trial: Callable[[Job], None], verdict: str
) -> None:
    (decision,) = running("a/*", trial=trial).decisions
    assert decision.verdict == verdict


def test_a_history_is_read_once(running: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    read, paths = reader.read, []

    def counting(path: Path) -> reader.History:
        paths.append(path)
        return read(path)

    monkeypatch.setattr(reader, "read", counting)
    running()
    assert len(paths) == len(set(paths)) == 2
