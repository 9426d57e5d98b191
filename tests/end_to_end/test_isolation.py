"""Whatever a trial does to itself, it is told, and no other trial is disturbed."""

import json
import os
import re
import select
import signal
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.catalog import Catalog
from harness.engine import plan
from harness.engine.local import Job, LocalEngine, Outcome
from harness.findings import Finding
from harness.judging import judge_outcome
from harness.workloads import library

HEALTHY = "epoch_end_hooks/basic_metric/recommended@digits/single_batch"
LIMIT_S = 2.0
MEBIBYTE = 2**20
# What must be told of each. Where two are named, it depends on the version of Lightning: up to 2.3 it swallows an
# interrupt and ends the training early, and from 2.0 on it takes a SIGTERM for a request to stop.
TELLS = {
    "hang_deaf_to_signals": r"did not end within 2\.0 s \(.*misbehaviours\.py:\d+\), .*, epoch 1",
    "kill_itself": r"killed by signal 9, .*, epoch 1",
    "kill_itself_holding_much_memory": r"killed by signal 9",
    "kill_its_group": r"killed by signal 9",
    "kill_its_parent": r"took the process that supervised it down with it",
    "leave_at_once": r"left with exit status 3 before the trial was over, .*, epoch 1",
    "leave": r"SystemExit: 3 \(.*misbehaviours\.py:\d+\)",
    "raise_keyboard_interrupt": r"SystemExit|never reported",
    "interrupt_itself": r"SystemExit|never reported",
    "terminate_itself": r"SIGTERMException|killed by signal 15",
    "crash_in_native_code": r"killed by signal 11",
    "close_all_files": r"left with exit status 1 before the trial was over",
    "leave_a_child_behind": r"left 1 processes running",
    "leave_a_daemon_behind": r"left 1 processes running",
    "leave_a_child_of_a_fork_server_behind": r"left 3 processes running",
    "change_its_surroundings": r"TypeError: 'NoneType' object is not callable",
}
MISBEHAVIOURS = [*TELLS, "leave_a_file_behind", "print_megabytes", "use_a_fork_server"]
# Nobody can tell which of two trials left a segment that end at the same moment: see `harness.engine.leftovers`.
ALONE = "leave_shared_memory_behind"


@dataclass(frozen=True)
class Ended:
    """A trial that is over, healthy if it has no misbehaviour."""

    misbehaviour: str
    job: Job
    outcome: Outcome
    findings: list[Finding]

    @property
    def unexpected(self) -> list[str]:
        return [finding.message for finding in self.findings if not finding.as_expected]


def run_all(jobs: int, folder: Path) -> list[Ended]:
    """Every misbehaviour once, with a healthy trial before and after it; with two jobs, beside it too, if it may be."""
    catalog = Catalog()
    catalog.add("scenarios.epoch_end_hooks.basic_metric")
    misbehaviours = [*MISBEHAVIOURS, ALONE] if jobs == 1 else MISBEHAVIOURS
    order = ["", *(name for misbehaviour in misbehaviours for name in (misbehaviour, ""))]
    with LocalEngine("lightning", jobs, limit_s=LIMIT_S) as engine:
        environment = engine.environment()
        (trial,) = plan.make(catalog, (HEALTHY,), "cpu", 0, {"lightning": environment}).trials
        workload = library.build(trial.workload, 0)
        workload.save(folder / "workload.npz")
        queue = []
        for index, name in enumerate(order):
            prelude = f"{Path(__file__).with_name('misbehaviours.py')}:{name}" if name else ""
            files = (folder / f"{index}.jsonl", folder / f"{index}.txt")
            queue.append(Job(replace(trial, prelude=prelude), folder / "workload.npz", *files))
        return [
            Ended(name, job, outcome, judge_outcome(outcome, catalog, workload, job.history, environment).findings)
            for name, job, outcome in zip(order, queue, engine.run(queue), strict=True)
        ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> list[Ended]:
    return run_all(1, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory) -> list[Ended]:
    return run_all(2, tmp_path_factory.mktemp("side_by_side"))


def of(misbehaviour: str, trials: list[Ended]) -> Ended:
    return next(ended for ended in trials if ended.misbehaviour == misbehaviour)


def ends(pid: int, within_s: float = 2.0) -> bool:
    """Whether a process is gone, or is so in time; it is killed if not."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if select.select([process], [], [], within_s)[0]:
            return True
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        return False
    finally:
        os.close(process)


needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="os.pidfd_open is there on Linux only")


@pytest.mark.parametrize("misbehaviour", TELLS)
def test_a_misbehaving_trial_is_told(misbehaviour, alone):
    messages = of(misbehaviour, alone).unexpected
    assert any(re.search(TELLS[misbehaviour], message) for message in messages), messages


@pytest.mark.parametrize("trials", ["alone", "side_by_side"])
def test_healthy_trials_are_not_disturbed(trials, request):
    ended = request.getfixturevalue(trials)
    undisturbed = ended[0].findings
    assert all(finding.as_expected for finding in undisturbed)
    for before, healthy in zip(ended[1::2], ended[2::2], strict=True):
        assert healthy.findings == undisturbed, f"after {before.misbehaviour}"


def test_findings_do_not_depend_on_the_number_of_jobs(alone, side_by_side):
    for one, other in zip(alone, side_by_side, strict=False):  # the last of those alone are nowhere else
        assert one.misbehaviour == other.misbehaviour
        assert [finding.to_json() for finding in one.findings] == [finding.to_json() for finding in other.findings]


def test_peak_memory_of_a_killed_trial_is_recorded(alone):
    usual = of("kill_itself", alone).outcome.peak_rss_bytes
    assert of("kill_itself_holding_much_memory", alone).outcome.peak_rss_bytes > usual + 150 * MEBIBYTE


def test_much_output_is_no_finding_and_is_kept(alone):
    ended = of("print_megabytes", alone)
    assert ended.unexpected == []
    assert ended.job.output.stat().st_size > 16 * MEBIBYTE


@pytest.mark.parametrize("trials", ["alone", "side_by_side"])
def test_what_ends_with_the_trial_is_not_left_behind(trials, request):
    ended = of("use_a_fork_server", request.getfixturevalue(trials))
    assert (ended.unexpected, ended.outcome.left_behind, ended.outcome.leftovers) == ([], 0, [])
    assert "told" in ended.job.output.read_text()


@needs_pidfd
@pytest.mark.parametrize("misbehaviour", ["leave_a_child_behind", "leave_a_daemon_behind"])
def test_what_a_trial_left_running_is_ended(misbehaviour, alone):
    pid = next(line for line in of(misbehaviour, alone).job.output.read_text().splitlines() if line.isdigit())
    assert ends(int(pid))


@pytest.mark.parametrize(
    ("misbehaviour", "trials"),
    [("leave_a_file_behind", "alone"), ("leave_a_file_behind", "side_by_side"), (ALONE, "alone")],
)
def test_what_a_trial_left_in_memory_or_a_folder_is_removed_and_told(misbehaviour, trials, request):
    ended = of(misbehaviour, request.getfixturevalue(trials))
    left = re.findall(r"^left: (.+)$", ended.job.output.read_text(), re.MULTILINE)
    assert ended.outcome.leftovers == left
    assert not Path(left[0]).exists()


@pytest.mark.parametrize("trials", ["alone", "side_by_side"])
def test_no_trial_is_blamed_for_what_others_left(trials, request):
    left = {ended.misbehaviour for ended in request.getfixturevalue(trials) if ended.outcome.leftovers}
    assert left - {ALONE} == {"leave_a_file_behind"}


@needs_pidfd
def test_a_trial_does_not_outlive_the_parent_it_killed(alone):
    with of("kill_its_parent", alone).job.history.open() as history:
        assert ends(json.loads(history.readline())["process"])
