"""What a scenario expects under a fault, whatever the schedule is called that the fault stands in."""

import json

import pytest

from harness.checkers.case import Case
from harness.checkers.faults import check
from harness.engine import trial as trials
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.faults.fault import Fault
from harness.faults.library import SCHEDULES, names_of
from harness.history.reader import History
from harness.oracle.quantities import mean_squared_error
from harness.scenario import Aggregate, Expect, Scenario
from harness.workloads import library

ENVIRONMENT = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": "2.6.6"}, "unavailable": ""})
KILLED = (Fault("process", "kill", epoch=1, batch=1), Fault("process", "kill", epoch=1, batch=3))


def case(*faults, expects=(), name="mine"):
    """Of a schedule from a file."""
    aggregate = Aggregate("loss", of=mean_squared_error, stage="train")
    scenario = Scenario(
        "a/b",
        "recommended",
        "",
        object,
        ("short/*",),
        (aggregate,),
        "lightning",
        (),
        tuple(expects),
        "",
        "",
        {},
        "",
        "",
    )
    trial = Trial(scenario.id, "", "lightning", "short/diabetes", "cpu", 0, fault=name, faults=faults)
    return Case(trial, scenario, library.build("short/diabetes", 0), History(()), ENVIRONMENT)


@pytest.mark.parametrize("name", [name for name, schedule in SCHEDULES.items() if len(schedule) == 1])
def test_what_has_a_name_is_known_by_it(name):
    (fault,) = SCHEDULES[name]
    assert name in names_of(fault)


def test_an_epoch_without_batches_is_not_one_that_ends_early():
    assert names_of(Fault("loader", "runs_dry", batch=0)) == {"loader.empty_epoch"}
    assert names_of(Fault("loader", "runs_dry", batch=1)) == {"loader.runs_dry"}


def test_an_expectation_is_of_the_fault_and_not_of_its_file():
    looked_at = case(Fault("loader", "runs_dry", batch=1), expects=[Expect("violated", fault="loader.runs_dry")])
    assert looked_at.property_finding("record", "file", "violated").as_expected
    assert not looked_at.property_finding("record", "file", "ok").as_expected


def test_of_several_faults_one_may_keep_another_from_what_is_expected_of_it():
    faults = (Fault("loader", "runs_dry", batch=1), Fault("process", "kill", epoch=0, batch=0))
    looked_at = case(*faults, expects=[Expect("violated", fault="loader.runs_dry")])
    assert looked_at.property_finding("record", "file", "violated").as_expected
    assert looked_at.property_finding("record", "file", "ok").as_expected
    assert not looked_at.property_finding("record", "file", "unknown").as_expected


def test_without_a_plan_nothing_can_be_said():
    (finding,) = check(case(Fault("process", "kill", batch=1)))
    assert (finding.verdict, finding.as_expected) == ("unknown", False)


def test_a_fault_that_fired_in_a_process_before_this_one_is_told_by_its_batch(tmp_path):
    history = tmp_path / "history.jsonl"
    fired = {"f": "fault", "fault": "process.kill", "stage": "train", "epoch": 1, "batch": 1}
    history.write_text(json.dumps(fired) + "\n")
    trial = Trial("a/b/recommended", "", "lightning", "short/diabetes", "cpu", 0, faults=KILLED, resumed=True)
    assert trials._fired(trial, str(history)) == [KILLED[0]]
    assert trial.most_processes == 3
