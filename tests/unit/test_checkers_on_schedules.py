"""Checkers judge by what a schedule plans: fine histories of several schedules, and faults planted in them.

The model outputs a sample's id plus ten times the number of optimiser steps taken, so that every validation has
a mean of its own.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from harness.checkers import judge
from harness.checkers.case import Case
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.history import reader
from harness.history.encoding import decode_array, encode_array
from harness.history.recorder import Recorder
from harness.oracle.predictions import since_resuming
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import Aggregate, Scenario
from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload

TRAIN = Aggregate("train_mean", of=mean_of_outputs, stage="train")
VALIDATION = Aggregate("val_mean", of=mean_of_outputs, stage="validation")
ENVIRONMENT = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": "2.6.6"}, "unavailable": ""})


def workload(loaders=(), **schedule) -> Workload:
    """Four training batches of two samples, 0 to 7; three validation batches of two, 8 to 13."""
    return Workload(
        name="ids/scheduled", task="regression", features=np.arange(14, dtype=np.float32)[:, None],
        targets=np.zeros((14, 1), dtype=np.float32), train=((0, 1), (2, 3), (4, 5), (6, 7)),
        validation=((8, 9), (10, 11), (12, 13)), loaders=loaders, schedule=Schedule(epochs=2, **schedule),
    )  # fmt: skip


class Loop:
    """Writes what a trial writes that goes over a workload as its schedule says."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.operations = []
        self.steps = self.step = 0
        self.add("trial", "invoke")
        self.add("plan", "info", {"max_epochs": 2, "stages": ["train", "validation"], "hooks": [], "owners": []})
        self.add("on_fit_start", "info")
        for self.epoch in range(2):
            self.train()
        self.add("Logger.finalize", "invoke")
        self.add("Logger.finalize", "ok")
        self.add("trial", "ok")
        self.add(
            "exit",
            "info",
            {
                "status": 0,
                "timed_out": False,
                "limit_s": 1.0,
                "where": "",
                "peak_rss_bytes": 1,
                "left_behind": 0,
                "leftovers": [],
            },
        )

    def add(self, f, type, value=None, **stamp):
        self.operations.append({"f": f, "type": type, "value": value, **stamp})

    def train(self):
        schedule, batches = self.workload.schedule, self.workload.batches("train")
        validations = self.workload.passes("validation", self.epoch)
        stamp = {"stage": "train", "epoch": self.epoch}
        self.add("on_train_epoch_start", "info", **stamp)
        outputs = []
        for index, ids in enumerate(batches):
            self.step = self.steps
            outputs.append(self.go_over(ids, index, "train"))
            self.steps += schedule.ends_step(index, len(batches))
            if validations and (index + 1) % (len(batches) // validations) == 0:
                self.validate()
        self.add("on_train_epoch_end", "info", **stamp)
        self.report("train_mean", np.mean(np.concatenate(outputs)), "train")

    def validate(self):
        stamp = {"stage": "validation", "epoch": self.epoch}
        self.add("on_validation_epoch_start", "info", **stamp)
        held = {"updates": {"metric": 0}}
        self.add("metric_state", "ok", {"moment": "before", **held}, **stamp)
        outputs = [
            self.go_over(ids, index, "validation") for index, ids in enumerate(self.workload.batches("validation"))
        ]
        self.add("metric_state", "ok", {"moment": "after", "updates": {"metric": 1}}, **stamp)
        self.add("on_validation_epoch_end", "info", **stamp)
        self.report("val_mean", np.mean(np.concatenate(outputs)), "validation")

    def go_over(self, ids, index, stage):
        outputs = np.array(ids, dtype=np.float32)[:, None] + np.float32(10 * self.steps)
        value = {"ids": ids, "outputs": json.loads(encode_array(outputs))}
        self.add("batch", "invoke", stage=stage, epoch=self.epoch, batch=index)
        self.add("batch", "ok", value, stage=stage, epoch=self.epoch, batch=index)
        return outputs

    def report(self, name, value, stage):
        told = {"step": self.step, "epoch": self.epoch, "metrics": {name: float(value)}}
        self.add("logger", "ok", told, stage=stage, epoch=self.epoch)


@pytest.fixture
def case(tmp_path):
    def make(of: Workload, operations=None, aggregates=(TRAIN, VALIDATION)) -> Case:
        recorder = Recorder(tmp_path / "history.jsonl")
        for operation in Loop(of).operations if operations is None else operations:
            recorder.write(**operation)
        recorder.close()
        scenario = Scenario(
            pattern="test/ids", variant="recommended", source="", module=object, workloads=("ids/*",),
            aggregates=aggregates, framework="lightning", hooks=(), expects=(), needs="", predictions_from="",
            trainer={}, locator="", declared_at="",
        )  # fmt: skip
        trial = Trial(scenario.id, "", "lightning", of.name, "cpu", 0)
        return Case(trial, scenario, of, reader.read(tmp_path / "history.jsonl"), ENVIRONMENT)

    return make


def found(case, checker, name):
    (finding,) = (each for each in judge(case) if (each.checker, each.aggregate) == (checker, name))
    return finding


def objections(case):
    return {(each.checker, each.aggregate, each.verdict) for each in judge(case) if not each.as_expected}


def places(operations, **wanted):
    return [index for index, each in enumerate(operations) if all(each.get(key) == wanted[key] for key in wanted)]


@pytest.mark.parametrize(
    "schedule",
    [
        {},
        {"accumulate": 3},
        {"validate_after": 0.5},
        {"validate_after": 1},
        {"validate_after": 1, "accumulate": 3},
        {"validate_every": 2},
        {"train_limit": 3, "validation_limit": 0.5},
    ],
    ids=str,
)
def test_a_history_that_keeps_to_its_schedule_meets_no_objection(case, schedule):
    assert objections(case(workload(**schedule))) == set()


class TestSeveralValidations:
    TWICE = workload(validate_after=0.5)

    def operations(self):
        return Loop(self.TWICE).operations

    def test_each_is_judged_against_its_own_pass(self, case):
        judged = found(case(self.TWICE), "aggregate", "val_mean").per_epoch
        assert [(each.epoch, each.turn, each.truth) for each in judged] == [
            (0, 0, 30.5), (0, 1, 50.5), (1, 0, 70.5), (1, 1, 90.5),
        ]  # fmt: skip

    def test_a_figure_of_the_other_validation_is_wrong(self, case):
        operations = self.operations()
        reports = places(operations, f="logger", stage="validation", epoch=1)
        operations[reports[1]]["value"]["metrics"]["val_mean"] = 70.5
        finding = found(case(self.TWICE, operations), "aggregate", "val_mean")
        assert [each.verdict for each in finding.per_epoch] == ["exact", "exact", "exact", "wrong"]

    def test_each_has_what_callbacks_are_shown_after_it(self, case):
        operations = [
            {**each, "f": "callback_metrics", "value": each["value"]["metrics"]} if each["f"] == "logger" else each
            for each in self.operations()
        ]
        shown = replace(VALIDATION, reported_in="callback_metrics")
        judged = found(case(self.TWICE, operations, (shown,)), "aggregate", shown.label).per_epoch
        assert [each.observed for each in judged] == [30.5, 50.5, 70.5, 90.5]

    def test_a_validation_without_a_figure_is_missing_one(self, case):
        operations = self.operations()
        del operations[places(operations, f="logger", stage="validation", epoch=0)[0]]
        finding = found(case(self.TWICE, operations), "aggregate", "val_mean")
        assert [each.verdict for each in finding.per_epoch] == ["missing", "exact", "exact", "exact"]

    def test_a_sample_that_one_of_them_drops_is_named(self, case):
        operations = self.operations()
        del operations[places(operations, f="batch", type="ok", stage="validation", epoch=1, batch=2)[1]]
        finding = found(case(self.TWICE, operations), "samples", "validation")
        assert finding.message == "epoch 1, turn 1: dropped 2 samples (12, 13)"

    def test_one_that_does_not_come_is_told_by_its_hook(self, case):
        once = [*Loop(workload()).operations]
        finding = found(case(self.TWICE, once), "hook", "Callback.on_validation_epoch_end (validation)")
        assert finding.message == "ran 1 times in epoch 0, 1 times in epoch 1"

    def test_what_a_metric_holds_from_the_one_before_is_counted(self, case):
        operations = self.operations()
        before = places(operations, f="metric_state", epoch=1, value={"moment": "before", "updates": {"metric": 0}})
        operations[before[1]]["value"] = {"moment": "before", "updates": {"metric": 3}}
        operations[before[1] + 4]["value"] = {"moment": "after", "updates": {"metric": 4}}
        finding = found(case(self.TWICE, operations), "metric_state", "metric (validation)")
        assert finding.message == "epoch 1, turn 1 starts with 3 updates of earlier ones"


class TestEpochsWithoutValidation:
    SECOND = workload(validate_every=2)

    def test_only_the_epochs_that_validate_are_judged(self, case):
        judged = found(case(self.SECOND), "aggregate", "val_mean").per_epoch
        assert [each.epoch for each in judged] == [1]

    def test_a_validation_that_was_not_planned_is_told(self, case):
        always = Loop(workload()).operations
        assert objections(case(self.SECOND, always)) == {
            ("aggregate", "val_mean", "wrong"),
            ("order", "hooks and steps", "violated"),
            ("samples", "validation", "violated"),
            ("hook", "Callback.on_validation_epoch_start (validation)", "violated"),
            ("hook", "Callback.on_validation_epoch_end (validation)", "violated"),
        }

    def test_where_nothing_is_to_be_validated_no_figure_is_due(self, case):
        finding = found(case(replace(workload(), validation=())), "aggregate", "val_mean")
        assert (finding.verdict, finding.as_expected, finding.per_epoch) == ("missing", True, ())

    def test_a_figure_of_nothing_is_wrong(self, case):
        finding = found(case(replace(workload(), validation=()), Loop(workload()).operations), "aggregate", "val_mean")
        assert (finding.verdict, finding.as_expected) == ("wrong", False)


class TestLimits:
    LIMITED = workload(train_limit=3, validation_limit=0.5)

    def test_a_sample_beyond_the_limit_is_told(self, case):
        unlimited = Loop(workload()).operations
        message = found(case(self.LIMITED, unlimited), "samples", "train").message
        assert message.startswith("epoch 0: doubled 2 samples (6, 7)")


class TestAccumulation:
    def test_a_figure_told_at_the_number_of_batches_is_told(self, case):
        accumulating = workload(accumulate=3)
        operations = Loop(accumulating).operations
        report = operations[places(operations, f="logger", stage="train", epoch=0)[0]]
        report["value"]["step"] = 3  # after four batches, the third and fourth of which ended a step
        finding = found(case(accumulating, operations), "report_step", "train_mean")
        assert finding.message == "told as step 3 of epoch 0, after step 1 in epoch 0"


class TestLoaders:
    def test_a_figure_may_be_of_one_loader(self, case):
        of_second = replace(VALIDATION, loader=1)
        operations = Loop(workload()).operations
        for place in places(operations, f="logger", stage="validation"):
            operations[place]["value"]["metrics"]["val_mean"] += 1  # 10 to 13, in place of 8 to 13
        finding = found(case(workload(loaders=(1, 2)), operations, (of_second,)), "aggregate", "val_mean")
        assert [each.verdict for each in finding.per_epoch] == ["exact", "exact"]

    def test_a_figure_of_all_of_them_is_not_that_of_one(self, case):
        finding = found(
            case(workload(loaders=(1, 2)), aggregates=(replace(VALIDATION, loader=0),)), "aggregate", "val_mean"
        )
        assert (finding.verdict, finding.observed - finding.truth) == ("wrong", 2.0)


class TestResuming:
    def operations(self):
        """The second epoch is cut off after two batches, and goes on with the others."""
        operations = Loop(workload()).operations
        third = places(operations, f="batch", stage="train", epoch=1, batch=2)[0]
        return [*operations[:third], {"f": "on_fit_start", "type": "info", "value": None}, *operations[third:]]

    def test_a_figure_over_both_parts_is_exact(self, case):
        assert objections(case(workload(), self.operations())) == set()

    def test_one_that_forgets_the_first_part_is_biased_as_predicted(self, case):
        operations = self.operations()
        batches = places(operations, f="batch", type="ok", stage="train", epoch=1)[2:]
        parts = [decode_array(operations[place]["value"]["outputs"]) for place in batches]
        report = operations[places(operations, f="logger", stage="train", epoch=1)[0]]
        report["value"]["metrics"]["train_mean"] = float(np.mean(parts))
        forgetful = replace(TRAIN, predicts=since_resuming(TRAIN.predicts))
        finding = found(case(workload(), operations, (forgetful,)), "aggregate", "train_mean")
        assert ([each.verdict for each in finding.per_epoch], finding.as_expected) == (["exact", "biased"], True)
