"""A user's own data: which samples a batch holds, and what is made of a history without a workload."""

import json

import pytest
import torch

from harness.checkers import aggregates, hooks
from harness.checkers.case import Case
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.errors import ScenarioError
from harness.frameworks.own_data import OwnSamples
from harness.history.encoding import decode_array
from harness.history.reader import History, Operation
from harness.oracle.quantities import accuracy
from harness.scenario import Aggregate, EpochHook, scenario, second_of_pair
from harness.workloads import own_data

ENVIRONMENT = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": "2.6.6"}, "unavailable": ""})
GIVEN = {
    "pattern": "mine/own",
    "variant": "recommended",
    "module": object,
    "aggregates": [Aggregate("acc", of=accuracy, stage="validation")],
}


def pair(size: int):
    return torch.zeros(size, 2), torch.arange(size)


class Place:
    """Where a training stands, as `Position` knows it."""

    def __init__(self):
        self.now, self.batch, self.loader = "train", 0, 0

    def stage(self):
        return self.now

    def at(self, stage, batch, loader=0):
        self.now, self.batch, self.loader = stage, batch, loader


class TestSamples:
    @pytest.fixture
    def place(self):
        return Place()

    @pytest.fixture
    def samples(self, place):
        return OwnSamples(second_of_pair, place)

    def test_they_are_told_by_their_place_in_the_pass(self, samples, place):
        ids = []
        for batch, size in ((0, 2), (1, 3), (0, 2)):
            place.at("train", batch)
            ids.append(samples.foreign(pair(size)))
        assert ids == [(0, 1), (2, 3, 4), (0, 1)]

    def test_a_pass_goes_on_in_the_next_loader(self, samples, place):
        assert samples.foreign(pair(2)) == (0, 1)
        place.at("validation", 0)
        assert samples.foreign(pair(1)) == (0,)
        place.at("validation", 0, loader=1)
        assert samples.foreign(pair(2)) == (1, 2)
        place.at("train", 1)
        assert samples.foreign(pair(1)) == (2,)

    def test_their_targets_are_noted(self, samples):
        samples.foreign((torch.zeros(3, 2), torch.tensor([2, 0, 1])))
        assert decode_array(json.loads(samples.targets_noted)).tolist() == [2, 0, 1]

    def test_there_is_none_to_predict(self, samples, place):
        place.at("predict", 0)
        assert samples.foreign(torch.zeros(3)) == ()

    @pytest.mark.parametrize(
        ("batch", "told"),
        [
            ({"image": 0, "label": 1}, "no pair of inputs and targets, but a dict; say by targets="),
            ((1, 2, 3), "no pair"),
            ((torch.zeros(2), [0, 1]), "gave list, not a tensor"),
            ((torch.zeros(2), torch.tensor(1)), "one number"),
        ],
    )
    def test_targets_that_are_elsewhere_are_told(self, samples, batch, told):
        with pytest.raises((TypeError, ValueError), match=told):
            samples.foreign(batch)


class TestHistories:
    def operation(self, stage, epoch, batch, ids, type="ok", rank=0):
        value = {"ids": ids, "outputs": None}
        return Operation(1, "batch", type, stage, epoch, 0, batch, value, None, 0, rank)

    def seen(self, *operations, **trainer):
        return own_data.seen(scenario(**GIVEN, data=object, trainer=trainer), History(operations))

    def test_its_batches_are_those_of_the_first_pass(self):
        workload = self.seen(
            self.operation("sanity", 0, 0, [0]),
            self.operation("train", 0, 0, [0, 1], type="invoke"),
            self.operation("train", 0, 0, [0, 1]),
            self.operation("train", 0, 1, [2]),
            self.operation("validation", 0, 0, [0, 1, 2]),
            self.operation("train", 1, 0, [0, 1]),
            self.operation("train", 1, 1, [2, 3]),
        )
        assert (workload.train, workload.validation, workload.loaders) == (((0, 1), (2,)), ((0, 1, 2),), ())

    def test_each_loader_begins_with_a_first_batch(self):
        ids = [(0, [0, 1]), (1, [2]), (0, [3, 4])]
        workload = self.seen(*(self.operation("validation", 0, batch, given) for batch, given in ids))
        assert workload.loaders_of("validation") == (((0, 1), (2,)), ((3, 4),))

    def test_its_schedule_is_the_trainers(self):
        workload = self.seen(max_epochs=4, accumulate_grad_batches=2, val_check_interval=0.5)
        assert (workload.schedule.epochs, workload.schedule.accumulate, workload.schedule.validate_after) == (4, 2, 0.5)

    def test_what_was_limited_is_not_limited_again(self):
        workload = self.seen(
            self.operation("train", 0, 0, [0]), self.operation("train", 0, 1, [1]), limit_train_batches=0.5
        )
        assert workload.batches("train") == ((0,), (1,))

    def test_nothing_seen_is_a_workload_without_a_batch(self):
        workload = self.seen()
        assert (workload.batches("train"), workload.batches("validation"), workload.schedule.epochs) == ((), (), 2)

    @pytest.mark.parametrize(
        ("returned", "epochs"),
        [
            (("ok", {"should_stop": True}), 2),
            (("ok", {"should_stop": False}), 6),
            (("fail", {"exception": "ValueError"}), 6),
        ],
    )
    def test_the_epochs_that_ran_are_the_plan_where_the_trainer_was_told_to_stop(self, returned, epochs):
        ran = [self.operation("train", epoch, 0, [0]) for epoch in range(2)]
        type, value = returned
        fit = Operation(1, "Trainer.fit", type, None, None, 0, None, value, None, 0, 0)
        assert self.seen(*ran, fit, max_epochs=6).schedule.epochs == epochs

    def test_what_a_trial_is_given_travels(self, tmp_path):
        own_data.nothing_known().save(tmp_path / "workload.npz")
        assert own_data.Workload.load(tmp_path / "workload.npz").loaders_of("validation") == ((),)


class TestOfATrainingAlone:
    def case(self, hooks=(), **of):
        operations = [
            Operation(
                1, "plan", "info", None, None, 0, None, {"max_epochs": 2, "stages": ["train"], "hooks": []}, None, 0, 0
            ),
            Operation(2, "batch", "ok", "train", 0, 0, 0, {"ids": [0], "outputs": None}, None, 0, 0),
            Operation(3, "trial", "ok", None, None, 0, None, None, None, 0, 0),
        ]
        aggregate = Aggregate("acc", of=accuracy, **{"stage": "validation", **of})
        declared = scenario(**{**GIVEN, "aggregates": [aggregate]}, data=object, hooks=hooks)
        trial = Trial(declared.id, "", "lightning", "own/data", "cpu", 0)
        history = History(tuple(operations))
        return Case(trial, declared, own_data.seen(declared, history), history, ENVIRONMENT)

    def test_a_hook_of_what_never_ran_is_violated(self):
        (found,) = hooks.check(self.case(hooks=[EpochHook("on_validation_epoch_end", "validation")]))[:1]
        assert (found.verdict, found.as_expected, found.message) == ("violated", False, "ran never")

    @pytest.mark.parametrize("loader", [None, 1])
    def test_a_figure_of_what_never_ran_is_missing_unexpectedly(self, loader):
        (figure,) = aggregates.check(self.case(loader=loader))
        assert (figure.verdict, figure.expected_verdict) == ("missing", "exact")
        assert figure.message == "no step of validation was seen, and nothing was reported"


class TestDeclarations:
    def test_it_runs_on_data_of_its_own_and_no_other(self):
        assert scenario(**GIVEN, data=object).workloads == ("own/data",)

    @pytest.mark.parametrize(
        ("different", "told"),
        [
            ({"data": object, "ranks": 2}, "is for Lightning, one rank and no faults"),
            ({"data": object, "fit": print}, "is for Lightning, one rank and no faults"),
            ({"data": object, "framework": "keras"}, "is for Lightning, one rank and no faults"),
            ({"data": object, "faults": "step.*"}, "is for Lightning, one rank and no faults"),
            ({"data": object, "trainer": {"max_epochs": None}}, "'max_epochs' in trainer= is None, not a number"),
            ({"data": object, "trainer": {"max_steps": 3}}, "leave 'max_steps' out of trainer="),
            ({"trainer": {"max_epochs": 3}}, "leave 'max_epochs' out of trainer="),
            ({"targets": len}, "give data="),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, different, told):
        with pytest.raises(ScenarioError, match=told):
            scenario(**GIVEN, **different)
