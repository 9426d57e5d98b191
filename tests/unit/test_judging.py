"""A trial may be judged where it ran, if it takes nothing but itself: with the same result."""

from dataclasses import replace
from functools import partial

import pytest
from test_running import ENDED, ENVIRONMENT, SCENARIO

from harness import judging, scenario_files
from harness.catalog import Catalog
from harness.engine.local import Outcome
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.history.recorder import Recorder
from harness.judging import judge_outcome, where_it_ran
from harness.workloads import library

TRIAL = Trial(SCENARIO.id, SCENARIO.locator, "lightning", "digits/even", "cpu", 0)
OUTCOME = Outcome(trial=TRIAL, seconds=0.5, **ENDED)
HERE = Environment(ENVIRONMENT)
TWIN = replace(SCENARIO, pattern="a/twin", same_as=SCENARIO.id)


@pytest.fixture
def files(tmp_path):
    """A workload and a history, as they are on disk."""
    workload, history = tmp_path / "workload.npz", tmp_path / "history.jsonl"
    library.build(TRIAL.workload, 0).save(workload)
    recorder = Recorder(history)
    recorder.write("trial", "invoke")
    recorder.write("exit", "info", ENDED)
    recorder.close()
    return workload, history


def catalog(*scenarios):
    return Catalog({scenario.id: scenario for scenario in scenarios})


def judged_here(history):
    return judge_outcome(OUTCOME, catalog(SCENARIO), library.build(TRIAL.workload, 0), history, HERE)


@pytest.mark.parametrize("damaged", [False, True])
def test_what_is_found_there_is_what_is_found_here(files, monkeypatch, damaged):
    workload, history = files
    if damaged:
        history.write_text("no operation\n")
    monkeypatch.setattr(scenario_files, "load", lambda _: ([SCENARIO], []))
    there = where_it_ran(catalog(SCENARIO), TRIAL, HERE)(OUTCOME, workload, history)
    here = judged_here(history)
    assert (there.findings, there.counters) == (here.findings, here.counters)
    assert (there.counters is None) == damaged
    assert there.history == here.history


def test_what_was_judged_there_is_not_judged_again(files, monkeypatch, tmp_path):
    workload, history = files
    monkeypatch.setattr(scenario_files, "load", lambda _: ([SCENARIO], []))
    there = where_it_ran(catalog(SCENARIO), TRIAL, HERE)(OUTCOME, workload, history)
    moved = history.rename(tmp_path / "as it came back.jsonl")
    monkeypatch.setattr(judging, "judge", partial(pytest.fail, "judged again"))
    taken = judge_outcome(
        replace(OUTCOME, judged=there), catalog(SCENARIO), library.build(TRIAL.workload, 0), moved, HERE
    )
    assert (taken.findings, taken.path) == (there.findings, moved)
    assert len(taken.history.operations) == 2


@pytest.mark.parametrize("scenario", [SCENARIO, TWIN])
def test_what_is_compared_with_another_trial_is_judged_where_all_are(scenario):
    trial = replace(TRIAL, scenario=scenario.id)
    assert where_it_ran(catalog(SCENARIO, TWIN), trial, HERE) is None
