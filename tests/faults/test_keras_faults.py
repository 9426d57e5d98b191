"""Every fault that Keras can have fires just where its schedule has it, in the same way each time, and alone."""

import json
from dataclasses import replace

import pytest
from laboratory import all_scenarios

from harness.engine import plan
from harness.engine.local import Job, engines
from harness.faults.fault import KINDS, Fault
from harness.faults.library import SCHEDULES
from harness.workloads import library

BASIC = "epoch_end_reliability/basic_callback/as_documented"
MIRRORED = "epoch_end_reliability/mirrored_strategy/as_documented"
LIMIT_S = 25
NEVER = 99  # an epoch that is not reached
ON_GENERATORS = (
    Fault("loader", "runs_dry", "train", NEVER), Fault("loader", "runs_dry", "validation", NEVER),
    Fault("loader", "never_ends", "validation", NEVER),
)  # fmt: skip
ON_DATASETS = tuple(
    Fault(*kind, stage, NEVER)
    for kind, rules in KINDS.items()
    if "keras" in rules.frameworks and rules.at != "stage"
    for stage in rules.stages
    if kind not in {(fault.family, fault.kind) for fault in ON_GENERATORS}
)


class Trials:
    def __init__(self, warm):
        self._engines = warm
        self._catalog = all_scenarios()
        self._workload = library.build("short/diabetes", 0)

    def run(self, folder, schedule, on=BASIC):
        """Operations of a trial under a schedule of faults, without what differs by nature, and what was printed."""
        planned = plan.make(self._catalog, (on,), "cpu", 0, self._engines.environments)
        if planned.unavailable:
            pytest.skip(planned.unavailable[0].reason)
        trial = replace(planned.trials[0], fault="tested", faults=tuple(schedule))
        folder.mkdir()
        self._workload.save(folder / "workload.npz")
        (outcome,) = self._engines.run([Job(trial, *(folder / name for name in ("workload.npz", "history", "output")))])
        lines = [json.loads(line) for line in (folder / "history").read_text().splitlines()]
        stable = [{key: line[key] for key in line.keys() - {"t_ns", "process"}} for line in lines]
        return outcome, [line for line in stable if line["f"] != "exit"], (folder / "output").read_text()


@pytest.fixture(scope="module")
def trials():
    pytest.importorskip("tensorflow")
    with engines(["keras"], limit_s=LIMIT_S) as warm:
        yield Trials(warm)


def fired(operations):
    return [(each["fault"], each["stage"], each["epoch"], each["batch"]) for each in operations if each["f"] == "fault"]


def aims(schedule):
    return [(fault.name, fault.stage, fault.epoch, fault.batch) for fault in schedule]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(f"{family}.{kind}", marks=[pytest.mark.slow] if kind == "hangs" else [])
        for (family, kind), rules in KINDS.items()
        if "keras" in rules.frameworks
    ],
)
def test_each_kind_fires_once_at_its_aim(trials, tmp_path, name):
    (fault,) = schedule = SCHEDULES[name]
    outcome, operations, _ = trials.run(tmp_path / "trial", schedule, MIRRORED if fault.rules.ranks > 1 else BASIC)
    assert fired(operations) == aims(schedule)
    assert outcome.timed_out == (name == "loader.hangs")


@pytest.mark.parametrize(
    "schedule",
    [
        # In validation whatever lets it go on, since one trial has room for all of that.
        [
            Fault("step", "labels_broadcast", "validation", 0, 1),
            Fault("loader", "corrupt_sample", "validation", 1, 0),
            Fault("callback", "raises_after", "validation", 2),
        ],
        [Fault("loader", "length_too_short", "validation", 0), Fault("process", "interrupt", "validation", 1, 1)],
        [Fault("loader", "runs_dry", "validation", 1, 0), Fault("step", "exception", "validation", 2, 2)],
    ],
    ids=["steps", "length", "generator"],
)
def test_validation_has_faults_of_its_own(trials, tmp_path, schedule):
    _, operations, _ = trials.run(tmp_path / "trial", schedule)
    assert fired(operations) == aims(schedule)


def test_a_fault_of_no_batch_fires_at_every_one(trials, tmp_path):
    _, operations, _ = trials.run(tmp_path / "trial", [Fault("step", "labels_broadcast", epoch=1)])
    assert fired(operations) == [("step.labels_broadcast", "train", 1, batch) for batch in range(4)]


@pytest.mark.parametrize("waiting", [ON_DATASETS, ON_GENERATORS], ids=["datasets", "generators"])
def test_faults_that_are_not_due_change_nothing(trials, tmp_path, waiting):
    """What is put into a training for each of them is there, and does nothing.

    Training on a dataset of unknown length, as one that never ends has to be, is another training in Keras itself:
    where it runs out of data, `optimizer.iterations` counts a step that there was not.
    """
    _, healthy, _ = trials.run(tmp_path / "healthy", [])
    _, faulty, _ = trials.run(tmp_path / "faulty", waiting)
    assert faulty[1:] == healthy[1:]  # the first says which trial it is


def test_reading_ahead_leaves_the_same_history(trials, tmp_path):
    """Keras asks for batches in a thread; a fault fires when training has come to its batch."""
    runs = [trials.run(tmp_path / name, SCHEDULES["loader.getitem_raises"])[1] for name in ("first", "second")]
    assert runs[0] == runs[1]
    steps = [(each["epoch"], each["batch"]) for each in runs[0] if each["f"] == "batch" and each["type"] == "ok"]
    assert steps[-1] == (1, 1)


def test_what_waits_for_a_batch_that_training_does_not_come_to_is_let_go(trials, tmp_path):
    """The generator is read ahead into epoch 2 by then, and TensorFlow waits for the thread in which it is."""
    schedule = [Fault("process", "early_stopping", epoch=1), Fault("loader", "runs_dry", epoch=2, batch=0)]
    outcome, operations, _ = trials.run(tmp_path / "trial", schedule)
    assert fired(operations) == aims(schedule[:1])
    assert outcome.status == 0


def test_a_generator_that_ran_dry_begins_each_epoch_with_its_first_two_batches(trials, tmp_path):
    """Which Keras took from it to learn their shapes, and keeps."""
    _, operations, _ = trials.run(tmp_path / "trial", SCHEDULES["loader.empty_epoch"])
    steps = [each for each in operations if (each["f"], each["type"], each["stage"]) == ("batch", "ok", "train")]
    ids = {epoch: [each["value"]["ids"] for each in steps if each["epoch"] == epoch] for epoch in range(3)}
    assert (ids[1], ids[2]) == ([], ids[0][:2])


def test_the_second_interrupt_comes_while_the_first_is_dealt_with(trials, tmp_path):
    _, _, output = trials.run(tmp_path / "trial", SCHEDULES["process.interrupt_twice"])
    assert output.count("\nKeyboardInterrupt\n") == 2


def test_labels_of_two_columns_are_taken_in_silence(trials, tmp_path):
    """And the figure is another one: the second column is not the first again."""
    figures = []
    for name, schedule in (("healthy", []), ("faulty", [Fault("step", "labels_broadcast", epoch=0)])):
        outcome, operations, _ = trials.run(tmp_path / name, schedule)
        assert outcome.status == 0
        figures.append(next(each["value"]["metrics"]["loss"] for each in operations if each["f"] == "logger"))
    assert figures[0] != figures[1]
