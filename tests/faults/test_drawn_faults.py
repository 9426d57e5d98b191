"""Several things may go wrong in one training; what failed is shrunk to a schedule that replays."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from drawn import FEW
from drawn_faults import BUILT, SCENARIO, holds, in_laboratory, schedules, unexpected, unsound
from hypothesis import Phase, given, settings

from harness.engine import plan
from harness.faults.fitting import misfits
from harness.history import reader
from harness.workloads import library

CHEAP = settings(database=None, derandomize=True, max_examples=2000, phases=[Phase.generate, Phase.shrink])


def sound_and_expected(schedule, tried):
    return [*unsound(schedule, tried), *unexpected(tried)]


@given(schedule=schedules)
@FEW
def test_a_training_goes_as_its_model_has_it_whatever_goes_wrong(laboratory, folder, schedule):
    holds(in_laboratory(laboratory), schedule, sound_and_expected, folder)


@given(schedule=schedules)
@settings(CHEAP, max_examples=200)
def test_what_is_drawn_can_come_about(laboratory, schedule):
    assert list(misfits(tuple(schedule), laboratory.catalog.scenarios[SCENARIO], BUILT)) == []


def test_every_fault_that_a_scenario_runs_under_can_come_about(laboratory):
    asked = [each for each in plan.asked(laboratory.catalog, ()) if each.faults]
    built = {workload: library.build(workload, 0) for workload in {each.workload for each in asked}}
    told = {
        (each.scenario.id, each.workload, each.fault): list(misfits(each.faults, each.scenario, built[each.workload]))
        for each in asked
    }
    assert told
    assert {key: why for key, why in told.items() if why} == {}


def both(schedule, tried):
    """A planted violation."""
    names = {fault.name for fault in schedule}
    return ["both are there"] if {"step.exception", "process.stop_requested"} <= names else []


@pytest.fixture(scope="module")
def message(folder) -> str:
    """Of the failure of a property that no schedule with these two faults has. Nothing needs to run to see that."""

    @given(schedule=schedules)
    @CHEAP
    def test(schedule):
        holds(lambda _: None, schedule, both, folder)

    with pytest.raises(AssertionError) as failure:
        test()
    return str(failure.value)


def test_a_schedule_that_fails_is_shrunk_to_what_matters_and_replays(message, folder, tmp_path):
    path = folder / "failing.json"
    assert f"epoch-harness run --fault {path}" in message
    left = json.loads(path.read_text())["faults"]
    assert sorted((each["kind"], each["epoch"]) for each in left) == [("exception", 0), ("stop_requested", 0)]
    assert sorted(each["batch"] for each in left) == [0, 1]
    assert replayed(path, tmp_path / "run") == left


def replayed(path: Path, out: Path) -> list[dict[str, object]]:
    """The faults of the trial that the command line runs of a file."""
    command = [sys.executable, "-m", "harness", "run", "--fault", str(path), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    (history,) = (out / "histories").iterdir()
    trial = reader.read(history).first("trial", "invoke")
    assert trial is not None
    return list(trial.value["faults"])
