"""Every checker on a hand-made history that is fine, and on defects planted in it, each of which it must name.

The model of these histories outputs a sample's id plus the epoch, so that every figure can be checked by eye:
training samples 0 to 7 come in batches of 3, 3 and 2, validation samples 8 to 11 in two batches of 2.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from histories import Operation, Operations, batch, ended, found, objections, shown, stamps

from harness import checkers
from harness.checkers import judge, samples
from harness.checkers.case import Case
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.history import reader
from harness.history.encoding import encode_array, encode_number
from harness.history.recorder import Recorder
from harness.oracle.measured import Measured
from harness.oracle.predictions import mean_of_batch_means, over_the_epoch
from harness.oracle.quantities import Quantity, mean_of_outputs
from harness.scenario import Aggregate, EpochHook, Expect, Scenario
from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload

EPOCHS = 3
STAGES = ("train", "validation")
WORKLOAD = Workload(
    name="ids/ragged",
    task="regression",
    features=np.arange(12, dtype=np.float32)[:, None],
    targets=np.zeros((12, 1), dtype=np.float32),
    train=((0, 1, 2), (3, 4, 5), (6, 7)),
    validation=((8, 9), (10, 11)),
    schedule=Schedule(epochs=EPOCHS),
)
TRAIN_TRUTHS = (3.5, 4.5, 5.5)  # by epoch
MEANS_OF_BATCH_MEANS = tuple((1 + 4 + 6.5) / 3 + epoch for epoch in range(EPOCHS))
VALIDATION_TRUTHS = (9.5, 10.5, 11.5)

TRAIN = Aggregate("train_mean", of=mean_of_outputs, stage="train")
VALIDATION = Aggregate("val_mean", of=mean_of_outputs, stage="validation")
SCENARIO = Scenario(
    pattern="test/ids",
    variant="recommended",
    source="",
    module=object,
    workloads=("ids/*",),
    aggregates=(TRAIN, VALIDATION),
    framework="lightning",
    hooks=(EpochHook("on_train_epoch_end", "train"),),
    expects=(),
    needs="",
    predictions_from="",
    trainer={},
    locator="",
    declared_at="",
)
TRIAL = Trial(SCENARIO.id, "", "lightning", WORKLOAD.name, "cpu", 0)
ENVIRONMENT = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": "2.6.6"}, "unavailable": ""})


def planned(epochs: int) -> Operation:
    hooks = [f"on_{stage}_epoch_end" for stage in STAGES]
    return {"max_epochs": epochs, "stages": list(STAGES), "hooks": hooks, "owners": []}


def told(name: str, value: float, step: int, epoch: int) -> Operation:
    return {"step": step, "epoch": epoch, "metrics": {name: encode_number(value)}}


def healthy(train: Sequence[float] = TRAIN_TRUTHS, updates: Sequence[int] = (0, 0, 0)) -> Operations:
    """What a trial writes in which nothing goes wrong.

    Args:
        train: what it reports as the training mean, by epoch.
        updates: how many updates its metric object holds when an epoch starts, by epoch.
    """
    history = Operations()
    history.add("trial", "invoke", asdict(TRIAL))
    history.add("plan", "info", planned(EPOCHS))
    history.add("weights", "info", {"crc32": EPOCHS})
    for epoch in range(EPOCHS):
        steps = (epoch + 1) * len(WORKLOAD.train)
        for stage in STAGES:
            history.add(f"on_{stage}_epoch_start", "info", stage=stage, epoch=epoch)
            for index, ids in enumerate(WORKLOAD.batches(stage)):
                stamp = {"stage": stage, "epoch": epoch, "batch": index}
                if index == 0 and stage == "train":
                    history.add("metric_state", "ok", held("before", updates[epoch]), **stamp)
                history.add("batch", "invoke", **stamp)
                history.add("batch", "ok", batch(ids, epoch), **stamp)
                if index == 0 and stage == "train":
                    history.add("metric_state", "ok", held("after", updates[epoch] + 1), **stamp)
        for stage, name, value in (
            ("validation", "val_mean", VALIDATION_TRUTHS[epoch]),
            ("train", "train_mean", train[epoch]),
        ):
            history.add(f"on_{stage}_epoch_end", "invoke", stage=stage, epoch=epoch)
            history.add(f"on_{stage}_epoch_end", "ok", stage=stage, epoch=epoch)
            history.add(f"on_{stage}_epoch_end", "info", stage=stage, epoch=epoch)
            if stage == "train":
                history.add("weights", "info", {"crc32": epoch}, stage=stage, epoch=epoch)
            history.add("callback_metrics", "ok", {name: encode_number(value)}, stage=stage, epoch=epoch)
            history.add("logger", "ok", told(name, value, steps - 1, epoch), stage=stage, epoch=epoch)
    history.add("Logger.finalize", "invoke")
    history.add("Logger.finalize", "ok")
    history.add("trial", "ok")
    history.add("exit", "info", ended())
    return history


def held(moment: str, updates: int) -> Operation:
    return {"moment": moment, "updates": {"accuracy": updates}}


def failed_with(exception: str) -> Operations:
    history = healthy().until(f="batch", type="ok", epoch=1)
    history.add("trial", "fail", {"exception": exception, "message": "told why", "where": "scenario.py:7"})
    history.add("exit", "info", ended(status=1))
    return history


@pytest.fixture
def case(tmp_path):
    """Makes a case of operations: they are written by the recorder and read back, as in a run."""

    def make(operations: Operations, **different: object) -> Case:
        (tmp_path / "history.jsonl").unlink(missing_ok=True)
        recorder = Recorder(tmp_path / "history.jsonl")
        for operation in operations:
            recorder.write(**operation)
        recorder.close()
        scenario = replace(SCENARIO, **different)
        return Case(TRIAL, scenario, WORKLOAD, reader.read(tmp_path / "history.jsonl"), ENVIRONMENT)

    return make


def test_a_healthy_history_meets_no_objection(case):
    assert objections(case(healthy())) == []


def test_every_checker_has_a_say_on_a_healthy_history(case):
    """But for those of faults, of several ranks, of files that are kept, and of what is to be the same as another."""
    others = {*checkers.OF_FAULTS, "ranks", "record", "same_as"}
    assert {finding.checker for finding in judge(case(healthy()))} == checkers.CHECKERS.keys() - others


def test_what_is_fine_needs_no_words(case):
    assert {finding.message for finding in judge(case(healthy()))} == {""}


def test_of_a_trial_that_raised_only_what_was_promised_is_judged(case):
    assert {finding.checker for finding in judge(case(failed_with("ValueError")))} == {"aggregate", "hook", "process"}


def test_what_is_evaluated_outside_of_epochs_is_no_matter(case):
    history = healthy()
    before = Operations()
    before.add("metric_state", "ok", held("before", 9), stage="validation", batch=0)
    before.add("batch", "invoke", stage="validation", batch=0)
    before.add("batch", "ok", batch((8, 9), 9), stage="validation", batch=0)
    before.add("metric_state", "ok", held("after", 10), stage="validation", batch=0)
    assert objections(case(Operations([*history[:3], *before, *history[3:]]))) == []


def test_a_stage_that_the_module_has_no_step_for_is_no_matter(case):
    without_validation = Operations(each for each in healthy() if each.get("stage") != "validation")
    only_training = {**planned(EPOCHS), "stages": ["train"]}
    assert objections(case(without_validation.with_value(only_training, f="plan"), aggregates=(TRAIN,))) == []


def test_an_expectation_of_another_version_excuses_nothing(case):
    expects = (Expect("violated", checker="hook", needs="pytorch_lightning<2.0"),)
    silent = case(healthy().without(f="on_train_epoch_end", type="invoke"), expects=expects)
    assert not found(silent, "hook", "on_train_epoch_end (train)").as_expected


@pytest.mark.parametrize(("workload", "expected"), [(TRIAL.workload, True), ("another/*", False)])
def test_an_expectation_holds_on_the_workloads_it_names(case, workload, expected):
    expects = (Expect("violated", checker="hook", workload=workload),)
    silent = case(healthy().without(f="on_train_epoch_end", type="invoke"), expects=expects)
    assert found(silent, "hook", "on_train_epoch_end (train)").as_expected == expected


def test_the_same_history_gets_the_same_findings(case):
    healthy_case = case(healthy())
    assert judge(healthy_case) == judge(healthy_case)


class TestAggregates:
    def test_a_true_figure_is_exact(self, case):
        finding = found(case(healthy()), "aggregate", "train_mean")
        assert (finding.verdict, finding.observed, finding.truth, finding.bias) == ("exact", 3.5, 3.5, 0.0)

    def test_every_epoch_is_judged(self, case):
        epochs = found(case(healthy()), "aggregate", "train_mean").per_epoch
        assert [(each.epoch, each.truth) for each in epochs] == [(0, 3.5), (1, 4.5), (2, 5.5)]

    def test_a_mean_of_batch_means_is_wrong_where_the_truth_is_promised(self, case):
        biased = case(healthy(train=MEANS_OF_BATCH_MEANS))
        assert objections(biased) == [("aggregate", "train_mean", "wrong")]

    def test_a_predicted_bias_is_as_expected_and_told(self, case):
        biased = case(
            healthy(train=MEANS_OF_BATCH_MEANS),
            aggregates=(replace(TRAIN, predicts=mean_of_batch_means),),
        )
        finding = found(biased, "aggregate", "train_mean")
        assert (finding.verdict, finding.as_expected) == ("biased", True)
        assert finding.bias == pytest.approx(1 / 3)

    def test_a_predicted_bias_that_is_absent_is_told(self, case):
        unbiased = case(healthy(), aggregates=(replace(TRAIN, predicts=mean_of_batch_means),))
        assert objections(unbiased) == [("aggregate", "train_mean", "exact")]

    def test_a_predicted_bias_that_is_absent_in_one_epoch_is_told_with_that_epoch(self, case):
        exact_in_epoch_1 = (MEANS_OF_BATCH_MEANS[0], TRAIN_TRUTHS[1], MEANS_OF_BATCH_MEANS[2])
        partly = case(healthy(train=exact_in_epoch_1), aggregates=(replace(TRAIN, predicts=mean_of_batch_means),))
        finding = found(partly, "aggregate", "train_mean")
        assert (finding.as_expected, finding.epoch) == (False, 1)
        assert finding.message == "epoch 1 is exact, predicted biased"

    def test_a_bias_in_an_epoch_where_none_is_predicted_is_told_with_that_epoch(self, case):
        def only_epoch_0(quantity, epochs):
            return (mean_of_batch_means if len(epochs) == 1 else over_the_epoch)(quantity, epochs)

        history = healthy(train=MEANS_OF_BATCH_MEANS)
        finding = found(case(history, aggregates=(replace(TRAIN, predicts=only_epoch_0),)), "aggregate", "train_mean")
        assert (finding.verdict, finding.epoch, finding.as_expected) == ("wrong", 1, False)

    def test_a_figure_that_is_wrong_in_one_epoch_only_is_told_with_that_epoch(self, case):
        tampered = case(healthy(train=(3.5, 4.5, 5.75)))
        finding = found(tampered, "aggregate", "train_mean")
        assert (finding.verdict, finding.epoch, finding.observed, finding.truth) == ("wrong", 2, 5.75, 5.5)

    def test_the_evidence_is_the_batches_and_the_report(self, case):
        tampered = case(healthy(train=(0.0, 0.0, 0.0)))
        assert shown(tampered, found(tampered, "aggregate", "train_mean")) == ["batch", "batch", "logger"]

    def test_a_figure_that_is_never_reported_is_missing(self, case):
        silent = case(healthy().without(f="logger", stage="train", epoch=1))
        assert objections(silent) == [("aggregate", "train_mean", "missing")]

    def test_where_a_figure_is_missing_the_names_that_nobody_declares_are_told_with_their_place(self, case):
        renamed = told("train_average", TRAIN_TRUTHS[1], step=5, epoch=1)
        silent = healthy().with_value(renamed, f="logger", stage="train", epoch=1)
        finding = found(case(silent), "aggregate", "train_mean")
        assert (finding.verdict, finding.epoch) == ("missing", 1)
        assert finding.message == (
            "promised, never reported; what arrived and no aggregate declares: 'train_average' "
            "(after on_train_epoch_end, epoch 1)"
        )

    def test_a_figure_that_is_missing_as_expected_asks_for_no_other_name(self, case):
        renamed = healthy().with_value(told("train_average", 0.0, step=5, epoch=1), f="logger", stage="train", epoch=1)
        finding = found(case(renamed, expects=(Expect("missing", "train_mean"),)), "aggregate", "train_mean")
        assert (finding.as_expected, finding.message) == (True, "promised, never reported")

    def test_what_is_no_number_is_told_with_its_place(self, case):
        vector = {"step": 5, "epoch": 1, "metrics": {"train_mean": "tensor of shape (3,)"}}
        finding = found(
            case(healthy().with_value(vector, f="logger", stage="train", epoch=1)), "aggregate", "train_mean"
        )
        assert (finding.verdict, finding.epoch, finding.observed) == ("wrong", 1, None)
        assert finding.message == "reported tensor of shape (3,), not a number, after on_train_epoch_end, epoch 1"

    def test_a_figure_told_without_its_epoch_belongs_to_the_epoch_it_is_told_in(self, case):
        bare = {"step": 5, "epoch": None, "metrics": {"train_mean": TRAIN_TRUTHS[1]}}
        assert objections(case(healthy().with_value(bare, f="logger", stage="train", epoch=1))) == []

    def test_a_figure_of_the_sanity_check_is_nobodys(self, case):
        history = healthy()
        checked = Operations()
        checked.add("logger", "ok", told("val_mean", 0.0, step=-1, epoch=0), stage="sanity", epoch=0)
        assert objections(case(Operations([*history[:2], *checked, *history[2:]]))) == []

    def test_a_figure_reported_twice_is_wrong(self, case):
        repeated = case(healthy().twice(f="logger", stage="train", epoch=1))
        assert found(repeated, "aggregate", "train_mean").message == "reported 2 times in one epoch"

    def test_a_figure_told_for_another_epoch_is_missing_where_it_belongs(self, case):
        late = told("train_mean", TRAIN_TRUTHS[1], step=5, epoch=2)
        moved = case(healthy().with_value(late, f="logger", stage="train", epoch=1))
        verdicts = [each.verdict for each in found(moved, "aggregate", "train_mean").per_epoch]
        assert verdicts == ["exact", "missing", "wrong"]

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_a_figure_that_is_no_number_is_wrong_where_the_truth_is_one(self, case, value):
        finding = found(case(healthy(train=(value, value, value))), "aggregate", "train_mean")
        assert (finding.verdict, finding.as_expected) == ("wrong", False)

    def test_a_figure_before_the_epoch_it_is_promised_from_is_wrong(self, case):
        early = case(healthy(), aggregates=(replace(TRAIN, from_epoch=1),))
        finding = found(early, "aggregate", "train_mean")
        assert (finding.verdict, finding.epoch) == ("wrong", 0)

    def test_a_figure_promised_from_a_later_epoch_may_be_silent_before(self, case):
        history = healthy().without(f="logger", stage="train", epoch=0)
        assert objections(case(history, aggregates=(replace(TRAIN, from_epoch=1),))) == []

    def test_a_figure_for_an_epoch_that_was_not_planned_is_wrong(self, case):
        finding = found(case(healthy().with_value(planned(2), f="plan")), "aggregate", "train_mean")
        assert (finding.verdict, finding.epoch, finding.as_expected) == ("wrong", 2, False)

    def test_a_figure_may_be_read_from_the_callback_metrics(self, case):
        history = healthy().without(f="logger", stage="train")
        aggregate = replace(TRAIN, reported_in="callback_metrics")
        assert found(case(history, aggregates=(aggregate,)), "aggregate", aggregate.label).verdict == "exact"

    def test_of_what_callbacks_are_shown_the_last_of_its_name_counts(self, case):
        history = healthy()
        last = next(i for i, each in enumerate(history) if each["f"] == "callback_metrics" and each["stage"] == "train")
        stamp = {"f": "callback_metrics", "type": "ok", "stage": "train", "epoch": 0}
        early, other = {"train_mean": encode_number(9.0)}, {"other": encode_number(9.0)}
        history = Operations(
            [*history[:last], {**stamp, "value": early}, history[last], {**stamp, "value": other}, *history[last + 1 :]]
        )
        aggregate = replace(TRAIN, reported_in="callback_metrics")
        finding = found(case(history, aggregates=(aggregate,)), "aggregate", aggregate.label)
        assert [each.verdict for each in finding.per_epoch] == ["exact"] * EPOCHS

    @pytest.mark.parametrize(
        ("seen", "message"),
        [
            (None, "no predictions were seen in 1 of 9 steps of training"),
            ((), "what was seen in 1 of 9 steps of training is not one prediction a sample (shape () of 2)"),
            ((1, 4), "what was seen in 1 of 9 steps of training is not one prediction a sample (shape (1, 4) of 2)"),
        ],
        ids=["nothing", "scalar", "too few"],
    )
    def test_a_figure_is_unknown_where_not_all_predictions_were_seen(self, case, seen, message):
        outputs = None if seen is None else json.loads(encode_array(np.zeros(seen, dtype=np.float32)))
        history = healthy(train=(2.5, 4.5, 5.5)).with_value(
            {"ids": (6, 7), "outputs": outputs}, f="batch", type="ok", stage="train", epoch=0, batch=2
        )
        unseen = case(history)
        assert objections(unseen) == [("aggregate", "train_mean", "unknown")]
        finding = found(unseen, "aggregate", "train_mean")
        hint = "; predictions_from names the submodule, in Keras the layer, that returns them"
        assert finding.message == message + hint
        assert (finding.epoch, stamps(unseen, finding)) == (0, [("batch", 0, 2)])

    def test_a_figure_is_unknown_where_the_forward_pass_gave_several_results(self, case):
        several = {**batch((6, 7), 0), "differing_runs": 3}
        unsure = case(healthy().with_value(several, f="batch", type="ok", stage="train", epoch=0, batch=2))
        assert objections(unsure) == [("aggregate", "train_mean", "unknown")]
        finding = found(unsure, "aggregate", "train_mean")
        assert finding.message == (
            "the forward pass ran 3 times, with other results, in 1 of 9 steps of training "
            "(first in epoch 0, batch 2); "
            "predictions_from names the submodule, in Keras the layer, that returns them and runs once in a step"
        )
        assert (finding.epoch, stamps(unsure, finding)) == (0, [("batch", 0, 2)])

    def test_steps_in_which_nothing_and_too_little_were_seen_are_told_apart(self, case):
        nothing = {"ids": (8, 9), "outputs": None}
        too_many = {**batch((8, 9, 10), 1), "ids": (8, 9)}
        history = healthy()
        for epoch, value in ((0, nothing), (1, too_many), (2, nothing)):
            history = history.with_value(value, f="batch", type="ok", stage="validation", epoch=epoch, batch=0)
        assert found(case(history), "aggregate", "val_mean").message.startswith(
            "no predictions were seen in 2 of 6 steps of validation; "
            "what was seen in 1 of 6 steps of validation is not one prediction a sample (shape (3, 1) of 2); "
        )

    @pytest.mark.parametrize(
        ("reported", "verdict", "as_expected"),
        [(None, "missing", True), (5.5, "wrong", False)],
        ids=["not", "reported"],
    )
    def test_where_the_arithmetic_gives_nothing_nothing_may_be_reported(self, case, reported, verdict, as_expected):
        def nothing_in_epoch_2(quantity, epochs):
            return over_the_epoch(quantity, epochs) if len(epochs) < 3 else None

        history = healthy() if reported else healthy().without(f="logger", stage="train", epoch=2)
        silent = case(history, aggregates=(replace(TRAIN, predicts=nothing_in_epoch_2),))
        finding = found(silent, "aggregate", "train_mean")
        assert (finding.verdict, finding.epoch, finding.prediction) == (verdict, 2, None)
        assert finding.as_expected is as_expected

    def test_the_numbers_are_those_of_the_epoch_that_decides(self, case):
        biased = case(healthy(train=MEANS_OF_BATCH_MEANS), aggregates=(replace(TRAIN, predicts=mean_of_batch_means),))
        finding = found(biased, "aggregate", "train_mean")
        assert finding.prediction == pytest.approx(MEANS_OF_BATCH_MEANS[0])
        assert 0 < finding.bound < 1e-4

    @pytest.mark.parametrize("nan_is", ["the truth", "predicted"])
    def test_a_number_and_what_is_none_are_apart(self, case, nan_is):
        nan = Quantity("nan", lambda *_: Measured(math.nan, 0.0))
        of, predicted = (nan, mean_of_outputs) if nan_is == "the truth" else (mean_of_outputs, nan)
        aggregate = replace(TRAIN, of=of, predicts=lambda _, epochs: over_the_epoch(predicted, epochs))

        def judged(figures: Sequence[float]) -> tuple[str, bool]:
            finding = found(case(healthy(train=figures), aggregates=(aggregate,)), "aggregate", "train_mean")
            return finding.verdict, finding.as_expected

        truths, predictions = (TRAIN_TRUTHS, (math.nan,) * 3)[:: -1 if of is nan else 1]
        assert [judged(truths), judged(predictions)] == [("exact", False), ("biased", True)]

    def test_what_is_none_is_exact_where_it_is_the_truth_and_predicted(self, case):
        nan = Quantity("nan", lambda *_: Measured(math.nan, 0.0))
        history = healthy(train=(math.nan,) * 3)
        assert objections(case(history, aggregates=(replace(TRAIN, of=nan),))) == []

    def test_what_is_expected_of_the_scenario_is_not_held_against_each_epoch(self, case):
        exact_in_epoch_1 = (MEANS_OF_BATCH_MEANS[0], TRAIN_TRUTHS[1], MEANS_OF_BATCH_MEANS[2])
        partly = case(
            healthy(train=exact_in_epoch_1),
            aggregates=(replace(TRAIN, predicts=mean_of_batch_means),),
            expects=(Expect("biased", aggregate="train_mean"),),
        )
        assert found(partly, "aggregate", "train_mean").as_expected

    @pytest.mark.parametrize(
        ("off", "bound", "reported", "verdict", "as_expected"),
        [
            (0.5, 1.0, 0.0, "exact", True),
            (0.5, 1.0, 1.25, "biased", True),
            (2.5, 1.0, 0.5, "exact", False),
            (2.5, 1.0, 2.0, "biased", True),
            (0.0, 2.0, 1.5, "biased", False),
        ],
    )
    def test_either_is_expected_where_the_truth_and_the_prediction_overlap(
        self, case, off, bound, reported, verdict, as_expected
    ):
        """In units of the truth's bound: how far off a prediction lies, its bound, and how far off the report lies."""

        def predicted(quantity, epochs):
            truth = over_the_epoch(quantity, epochs)
            return Measured(truth.value + off * truth.bound, bound * truth.bound)

        right = found(case(healthy()), "aggregate", "train_mean").per_epoch
        history = healthy(train=[each.truth + reported * each.bound for each in right])
        finding = found(case(history, aggregates=(replace(TRAIN, predicts=predicted),)), "aggregate", "train_mean")
        assert (finding.per_epoch[0].verdict, finding.as_expected) == (verdict, as_expected)

    def test_a_figure_that_is_shown_with_few_digits_may_be_rounded(self, case):
        """In thirds, 3.5 is 1.1666… and the mean of the first epoch's batch means, 3.8333…, is 1.2777…"""
        thirds = Quantity("thirds", lambda outputs, *_: Measured(float(outputs.mean()) / 3, 1e-6))
        exact = replace(TRAIN, of=thirds, predicts=over_the_epoch, digits=3)
        biased = replace(exact, predicts=mean_of_batch_means)
        verdicts = [
            found(case(healthy(train=figures), aggregates=(aggregate,)), "aggregate", "train_mean").verdict
            for aggregate, figures in ((exact, (1.17, 1.5, 1.83)), (biased, (1.28, 1.61, 1.94)))
        ]
        assert verdicts == ["exact", "biased"]

    def test_a_figure_is_not_promised_where_its_requirement_is_not_met(self, case):
        elsewhere = case(healthy(), aggregates=(TRAIN, replace(VALIDATION, needs="pytorch_lightning<2.0")))
        assert [each.aggregate for each in judge(elsewhere) if each.checker == "aggregate"] == ["train_mean"]

    def test_an_expected_exception_is_as_expected(self, case):
        expects = (Expect("raised", exception="NotImplementedError"),)
        finding = found(case(failed_with("NotImplementedError"), expects=expects), "aggregate", "train_mean")
        assert (finding.verdict, finding.as_expected) == ("raised", True)
        assert finding.message == "NotImplementedError: told why (scenario.py:7), in the train step of batch 0, epoch 1"

    def test_an_exception_that_nobody_expects_is_told_with_its_place(self, case):
        finding = found(case(failed_with("ValueError")), "aggregate", "train_mean")
        assert (finding.verdict, finding.as_expected) == ("raised", False)
        assert finding.message == "ValueError: told why (scenario.py:7), in the train step of batch 0, epoch 1"
        assert finding.epoch == 1

    def test_another_exception_than_the_expected_one_is_told(self, case):
        expects = (Expect("raised", exception="NotImplementedError"),)
        finding = found(case(failed_with("ValueError"), expects=expects), "aggregate", "train_mean")
        assert (finding.verdict, finding.as_expected) == ("raised", False)
        assert finding.message.startswith("expected NotImplementedError, got ValueError")

    def test_an_expected_exception_that_does_not_come_is_told(self, case):
        expects = (Expect("raised", aggregate="train_mean", checker="aggregate"),)
        assert objections(case(healthy(), expects=expects)) == [("aggregate", "train_mean", "exact")]

    def test_a_trial_that_never_ended_leaves_its_figures_unknown(self, case):
        assert found(case(healthy().until(f="trial", type="ok")), "aggregate", "train_mean").verdict == "unknown"


class TestSamples:
    def test_a_dropped_sample_is_named(self, case):
        history = healthy().with_value(batch((6,), 1), f="batch", type="ok", stage="train", epoch=1, batch=2)
        finding = found(case(history), "samples", "train")
        assert (finding.verdict, finding.message) == ("violated", "epoch 1: dropped 1 samples (7)")

    @pytest.mark.parametrize("ids", [(6,), (6, 7, 7), (6, 6)], ids=["dropped", "doubled", "both"])
    def test_the_evidence_is_the_batches_of_the_pass(self, case, ids):
        doubled = case(healthy().with_value(batch(ids, 1), f="batch", type="ok", stage="train", epoch=1, batch=2))
        assert stamps(doubled, found(doubled, "samples", "train")) == [
            ("batch", 1, 0),
            ("batch", 1, 1),
            ("batch", 1, 2),
        ]

    def test_a_doubled_sample_is_named(self, case):
        history = healthy().with_value(batch((10, 10), 2), f="batch", type="ok", stage="validation", epoch=2, batch=1)
        finding = found(case(history), "samples", "validation")
        assert finding.message == "epoch 2: dropped 1 samples (11); epoch 2: doubled 1 samples (10)"

    def test_a_dropped_batch_is_told_though_the_figure_over_the_rest_is_right(self, case):
        history = healthy(train=(2.5, 4.5, 5.5))
        history = history.without(f="batch", stage="train", epoch=0, batch=2)
        assert ("samples", "train", "violated") in objections(case(history))
        assert found(case(history), "aggregate", "train_mean").verdict == "exact"

    def test_of_many_samples_only_some_are_named(self, case, monkeypatch):
        history = healthy().without(f="batch", type="ok", stage="train", epoch=0)
        history = history.twice(f="batch", type="ok", stage="train", epoch=1)
        assert "8 samples (0, 1, 2, 3, 4, 5, 6, 7)" in found(case(history), "samples", "train").message
        monkeypatch.setattr(samples, "SHOWN", 2)
        assert "8 samples (0, 1 and 6 more)" in found(case(history), "samples", "train").message

    def test_an_epoch_that_was_not_planned_is_told(self, case):
        finding = found(case(healthy().with_value(planned(2), f="plan")), "samples", "train")
        assert finding.message == "epoch 2: ran, and was not planned"


class TestPrecision:
    @pytest.mark.parametrize(
        ("stage", "epoch", "index", "ids"),
        [("train", 0, 1, (3, 4, 5)), ("train", 2, 2, (6, 7)), ("validation", 1, 0, (8, 9))],
    )
    def test_outputs_of_less_precision_than_the_placement_asks_for_are_told(self, case, stage, epoch, index, ids):
        outputs = np.array(ids, dtype=np.float16)[:, None] + np.float16(epoch)
        half = {"ids": ids, "outputs": json.loads(encode_array(outputs))}
        less = case(healthy().with_value(half, f="batch", type="ok", stage=stage, epoch=epoch, batch=index))
        assert objections(less) == [("precision", stage, "violated")]
        finding = found(less, "precision", stage)
        assert finding.message == "1 batches gave float16, not float32"
        assert stamps(less, finding) == [("batch", epoch, index)]

    @pytest.mark.parametrize(
        ("asked", "device", "fine"),
        [
            *((asked, "cpu", ("float32",)) for asked in (None, 32, "32", "32-true")),
            *((asked, "cpu", ("float64",)) for asked in (64, "64", "64-true")),
            ("bf16-true", "cpu", ("bfloat16",)),
            ("16-true", "cpu", ("float16",)),
            *((asked, "cpu", ("bfloat16", "float32")) for asked in ("bf16", "bf16-mixed", 16, "16", "16-mixed")),
            *((asked, "cuda", ("bfloat16", "float32")) for asked in ("bf16", "bf16-mixed")),
            *((asked, "cuda", ("float16", "float32")) for asked in (16, "16", "16-mixed")),
        ],
    )
    def test_what_the_trainer_is_asked_for_is_no_other_precision(self, case, asked, device, fine):
        for kind in ("bfloat16", "float16", "float32", "float64"):
            outputs = json.loads(encode_array(np.zeros((3, 1), dtype=np.float32), kind))
            history = healthy().with_value({"ids": (0, 1, 2), "outputs": outputs}, f="batch", type="ok", stage="train")
            made = replace(case(history, trainer={"precision": asked}), trial=replace(TRIAL, device=device))
            finding = found(made, "precision", "train")
            told = "" if kind in fine else f"9 batches gave {kind}, not {' or '.join(fine)}"
            assert (finding.verdict, finding.message) == ("violated" if told else "ok", told)


class TestReportStep:
    @pytest.mark.parametrize(
        ("stage", "name", "truths"),
        [("train", "train_mean", TRAIN_TRUTHS), ("validation", "val_mean", VALIDATION_TRUTHS)],
    )
    @pytest.mark.parametrize(("epoch", "last_step"), [(0, 2), (1, 5), (2, 8)])
    def test_a_figure_told_at_another_step_is_told(self, case, stage, name, truths, epoch, last_step):
        early = told(name, truths[epoch], step=1, epoch=epoch)
        moved = case(healthy().with_value(early, f="logger", stage=stage, epoch=epoch))
        assert objections(moved) == [("report_step", name, "violated")]
        finding = found(moved, "report_step", name)
        assert finding.message == f"told as step 1 of epoch {epoch}, after step {last_step} in epoch {epoch}"
        assert stamps(moved, finding) == [("logger", epoch, None)]

    def test_a_figure_told_for_another_epoch_is_told(self, case):
        late = told("train_mean", TRAIN_TRUTHS[1], step=5, epoch=2)
        moved = case(healthy().with_value(late, f="logger", stage="train", epoch=1))
        assert ("report_step", "train_mean", "violated") in objections(moved)

    def test_a_figure_that_is_read_elsewhere_belongs_to_no_step(self, case):
        elsewhere = case(healthy(), aggregates=(TRAIN, replace(VALIDATION, reported_in="callback_metrics")))
        assert [each.aggregate for each in judge(elsewhere) if each.checker == "report_step"] == ["train_mean"]


class TestMetricState:
    def test_updates_carried_into_an_epoch_are_counted(self, case):
        leaking = case(healthy(updates=(0, 3, 6)))
        assert objections(leaking) == [("metric_state", "accuracy (train)", "violated")]
        assert "epoch 2 starts with 6 updates" in found(leaking, "metric_state", "accuracy (train)").message

    @pytest.mark.parametrize("epoch", range(EPOCHS))
    def test_the_evidence_is_the_states_that_were_not_empty(self, case, epoch):
        leaking = case(healthy(updates=[int(each == epoch) for each in range(EPOCHS)]))
        finding = found(leaking, "metric_state", "accuracy (train)")
        assert stamps(leaking, finding) == [("metric_state", epoch, 0)]

    def test_an_object_that_a_stage_does_not_update_is_no_matter_of_that_stage(self, case):
        untouched = healthy(updates=(1, 1, 1))
        for operation in untouched:
            if operation["f"] == "metric_state":
                operation["value"] = {**operation["value"], "updates": {"accuracy": 1}}
        assert not [each for each in judge(case(untouched)) if each.checker == "metric_state"]

    def test_a_pass_whose_start_was_not_seen_is_no_matter(self, case):
        unseen = healthy().without(f="metric_state", epoch=0, value=held("before", 0))
        assert found(case(unseen), "metric_state", "accuracy (train)").verdict == "ok"

    def test_an_object_that_the_first_batch_makes_held_nothing_before(self, case):
        late = healthy()
        first = next(operation for operation in late if operation["f"] == "metric_state")
        first["value"] = {"moment": "before", "updates": {}}
        assert found(case(late), "metric_state", "accuracy (train)").verdict == "ok"


class TestHooks:
    def test_a_hook_that_runs_twice_is_told_with_its_epoch(self, case):
        repeated = case(healthy().twice(f="on_train_epoch_end", type="invoke", epoch=1))
        finding = found(repeated, "hook", "on_train_epoch_end (train)")
        assert (finding.verdict, finding.as_expected) == ("violated", False)
        assert finding.message == "ran 2 times in epoch 1"
        assert stamps(repeated, finding) == [("on_train_epoch_end", epoch, None) for epoch in (0, 1, 1, 2)]

    def test_a_hook_that_never_runs_is_told(self, case):
        silent = case(healthy().without(f="on_train_epoch_end", type="invoke"))
        message = found(silent, "hook", "on_train_epoch_end (train)").message
        assert message == "ran 0 times in epoch 0, 0 times in epoch 1, 0 times in epoch 2"

    def test_a_callbacks_hook_that_does_not_run_is_told(self, case):
        silent = case(healthy().without(f="on_validation_epoch_end", type="info", epoch=2))
        assert objections(silent) == [("hook", "Callback.on_validation_epoch_end (validation)", "violated")]

    def test_a_known_violation_is_as_expected(self, case):
        expects = (Expect("violated", checker="hook", aggregate="on_train_epoch_end*"),)
        silent = case(healthy().without(f="on_train_epoch_end", type="invoke"), expects=expects)
        finding = found(silent, "hook", "on_train_epoch_end (train)")
        assert (finding.verdict, finding.as_expected) == ("violated", True)

    def test_a_hook_of_the_module_that_no_scenario_relies_on_is_watched_too(self, case):
        repeated = case(healthy().twice(f="on_validation_epoch_end", type="invoke", epoch=0))
        assert ("hook", "on_validation_epoch_end (validation)", "violated") in objections(repeated)

    def test_a_hook_of_an_epoch_that_was_not_planned_is_told(self, case):
        finding = found(case(healthy().with_value(planned(2), f="plan")), "hook", "on_train_epoch_end (train)")
        assert finding.message == "ran in epoch 2, which was not planned"


class TestTraining:
    @pytest.mark.parametrize(("epoch", "before"), [(0, None), (1, 0), (2, 1)])
    def test_an_epoch_that_changes_no_weight_is_told(self, case, epoch, before):
        same = {"crc32": EPOCHS if before is None else before}
        idle = case(healthy().with_value(same, f="weights", epoch=epoch))
        assert objections(idle) == [("training", "weights", "violated")]
        finding = found(idle, "training", "weights")
        assert finding.message == f"epoch {epoch}: no weight changed in 3 steps"
        assert stamps(idle, finding) == [("weights", before, None), ("weights", epoch, None)]

    def test_running_statistics_that_change_are_nothing_learnt(self, case):
        same = {"crc32": 0, "state_crc32": 1}
        idle = case(healthy().with_value(same, f="weights", epoch=1))
        assert objections(idle) == [("training", "weights", "violated")]

    def test_an_epoch_without_steps_need_change_nothing(self, case):
        skipped = healthy().with_value({"crc32": 0}, f="weights", epoch=1)
        skipped = skipped.without(f="batch", type="ok", stage="train", epoch=1)
        assert found(case(skipped), "training", "weights").verdict == "ok"

    def test_weights_that_a_fit_begins_with_need_be_no_others_than_those_before_it(self, case):
        again = {"f": "weights", "type": "info", "value": {"crc32": 0}, "stage": "train", "epoch": 0}
        resumed = healthy().preceded_by([again], f="on_train_epoch_start", epoch=1)
        assert found(case(resumed), "training", "weights").verdict == "ok"

    def test_weights_that_nobody_looked_at_are_not_judged(self, case):
        assert not [each for each in judge(case(healthy().without(f="weights"))) if each.checker == "training"]


class TestProcess:
    PLACE = ", in the train step of batch 0, epoch 1"

    @pytest.mark.parametrize(
        ("end", "message"),
        [
            ({"status": -9}, f"killed by signal 9{PLACE}"),
            ({"status": -9, "timed_out": True}, f"did not end within 60.0 s{PLACE}"),
            ({"status": -9, "timed_out": True, "where": "mine.py:7"}, f"did not end within 60.0 s (mine.py:7){PLACE}"),
            ({"status": None}, "took the process that supervised it down with it"),
            ({"status": 7}, f"left with exit status 7 before the trial was over{PLACE}"),
        ],
    )
    def test_an_early_end_is_told_with_its_place(self, case, end, message):
        history = healthy().until(f="batch", type="ok", epoch=1)
        history.add("exit", "info", ended(**end))
        finding = found(case(history), "process", "exit")
        assert (finding.verdict, finding.message, finding.epoch) == ("violated", message, 1)

    def test_an_end_before_the_first_epoch_is_told_without_one(self, case):
        history = healthy().until(f="plan")
        history.add("exit", "info", ended(status=-9))
        assert found(case(history), "process", "exit").message == "killed by signal 9, before training began"

    def test_a_failure_after_the_trial_is_told(self, case):
        finding = found(case(healthy().with_value(ended(status=7), f="exit")), "process", "exit")
        assert (finding.verdict, finding.message) == ("violated", "left with exit status 7 after the trial was over")

    def test_processes_left_behind_are_counted(self, case):
        left = case(healthy().with_value(ended(left_behind=2), f="exit"))
        assert objections(left) == [("process", "exit", "violated")]
        finding = found(left, "process", "exit")
        assert finding.message == "left 2 processes running"
        assert shown(left, finding) == ["on_train_epoch_end", "exit"]  # the last hook there was, and the end

    def test_a_trial_that_raised_ended_by_itself(self, case):
        assert found(case(failed_with("ValueError")), "process", "exit").verdict == "ok"

    def test_an_end_that_nobody_saw_is_unknown(self, case):
        assert found(case(healthy().without(f="exit")), "process", "exit").verdict == "unknown"

    @pytest.mark.parametrize(("checker", "as_expected"), [("*", False), ("proc*", False), ("process", True)])
    def test_a_killed_process_is_excused_by_name_only(self, case, checker, as_expected):
        expects = (Expect("violated", checker=checker),)
        killed = case(healthy().with_value(ended(status=-11), f="exit"), expects=expects)
        assert found(killed, "process", "exit").as_expected is as_expected

    def test_an_end_that_is_expected_and_does_not_come_is_told(self, case):
        expects = (Expect("violated", checker="process"),)
        assert objections(case(healthy(), expects=expects)) == [("process", "exit", "ok")]


class TestUndecided:
    def test_a_checker_that_crashes_yields_unknown_and_the_others_go_on(self, case, monkeypatch):
        def crash(case):
            raise ZeroDivisionError("of the checker")

        monkeypatch.setitem(checkers.CHECKERS, "samples", crash)
        crashed = case(healthy())
        assert objections(crashed) == [("samples", "*", "unknown")]
        where = f"{Path(__file__).name}:{crash.__code__.co_firstlineno + 1})"
        message = found(crashed, "samples", "*").message
        assert message.startswith("the checker itself failed: ZeroDivisionError: of the checker (")
        assert message.endswith(where)

    def test_a_quantity_that_raises_leaves_the_other_figures_alone(self, case):
        def broken(outputs, targets, u):
            raise ValueError("of the scenario")

        crashed = case(healthy(), aggregates=(replace(TRAIN, of=Quantity("broken", broken)), VALIDATION))
        assert objections(crashed) == [("aggregate", "train_mean", "unknown")]
        message = found(crashed, "aggregate", "train_mean").message
        assert message.startswith("it could not be judged: ValueError: of the scenario (")
        assert message.endswith(f"{Path(__file__).name}:{broken.__code__.co_firstlineno + 1})")

    def test_a_prediction_that_raises_may_be_expected_to_leave_its_figure_unknown(self, case):
        aggregate = replace(TRAIN, predicts=lambda *_: 1 / 0)
        crashed = case(healthy(), aggregates=(aggregate,), expects=(Expect("unknown", "train_mean", "aggregate"),))
        assert found(crashed, "aggregate", "train_mean").as_expected

    def test_a_history_that_checkers_cannot_follow_is_never_fine(self, case):
        history = healthy().with_value("not what an adapter writes", f="batch", type="ok", stage="train", epoch=0)
        assert ("samples", "*", "unknown") in objections(case(history))

    def test_no_epoch_planned_is_unknown(self, case):
        unplanned = healthy().without(f="logger").with_value(planned(0), f="plan")
        assert found(case(unplanned), "aggregate", "train_mean").verdict == "unknown"

    def test_figures_without_a_planned_epoch_are_wrong(self, case):
        unplanned = healthy().with_value(planned(0), f="plan")
        assert found(case(unplanned), "aggregate", "train_mean").verdict == "wrong"

    def test_an_empty_history_is_never_fine(self, case):
        findings = judge(case(Operations()))
        assert {finding.verdict for finding in findings} == {"unknown"}


def in_keras(history: Operations) -> Operations:
    """The same history with the hooks that Keras has, whose figures belong to an epoch and to no step."""
    hooks = {
        "on_train_epoch_start": "on_epoch_begin", "on_train_epoch_end": "on_epoch_end",
        "on_validation_epoch_start": "on_test_begin", "on_validation_epoch_end": "on_test_end",
    }  # fmt: skip
    renamed = Operations({**operation, "f": hooks.get(str(operation["f"]), operation["f"])} for operation in history)
    renamed = Operations(each for each in renamed if each["f"] not in hooks.values() or each["type"] == "info")
    for operation in renamed:
        if operation["f"] == "plan":
            operation["value"] = {**operation["value"], "hooks": []}
        if operation["f"] == "logger":
            operation["value"] = {**operation["value"], "step": None}
    return renamed


class TestKeras:
    @pytest.fixture
    def keras(self, case):
        def make(operations: Operations) -> Case:
            return replace(case(in_keras(operations), hooks=()), trial=replace(TRIAL, framework="keras"))

        return make

    def test_a_healthy_history_meets_no_objection(self, keras):
        assert objections(keras(healthy())) == []

    def test_what_only_lightning_promises_is_not_judged(self, keras):
        assert "report_step" not in {finding.checker for finding in judge(keras(healthy()))}

    @pytest.mark.parametrize(
        ("lightning", "keras_hook"),
        [
            ("on_train_epoch_end", "Callback.on_epoch_end (train)"),
            ("on_validation_epoch_end", "Callback.on_test_end (validation)"),
        ],
    )
    def test_a_callback_hook_that_is_not_called_is_told(self, keras, lightning, keras_hook):
        silent = keras(healthy().without(f=lightning, type="info", epoch=1))
        assert ("hook", keras_hook, "violated") in objections(silent)
