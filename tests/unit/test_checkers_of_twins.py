"""Trainings that are to be the same as another: what is found of one that is, and of defects planted in it.

Their model outputs a sample's id plus the epoch; validation samples 4 to 7 come in two batches of 2. The twin validates
where nobody can record it, and tells the logger of all epochs at the end.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from histories import Operations, batch, ended, found, shown

from harness.checkers import judge
from harness.checkers.case import Case
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.history import reader
from harness.history.encoding import encode_number
from harness.history.recorder import Recorder
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import Aggregate, Expect, Scenario
from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload

EPOCHS = 3
STEPS = 2  # in an epoch
TRUTHS = (5.5, 6.5, 7.5)  # by epoch
SUMS = tuple({"crc32": 10 + epoch, "state_crc32": 20 + epoch} for epoch in range(EPOCHS))
ONE_BIT_MORE = np.nextafter(np.float32(TRUTHS[1]), np.float32(8)).item()
WORKLOAD = Workload(
    name="ids/twins",
    task="regression",
    features=np.arange(8, dtype=np.float32)[:, None],
    targets=np.zeros((8, 1), dtype=np.float32),
    train=((0, 1), (2, 3)),
    validation=((4, 5), (6, 7)),
    schedule=Schedule(epochs=EPOCHS),
)
FIGURE = Aggregate("val_mean", of=mean_of_outputs, stage="validation")
REFERENCE = Scenario(
    pattern="test/first", variant="recommended", source="", module=object, workloads=("ids/*",), aggregates=(FIGURE,),
    framework="lightning", hooks=(), expects=(), needs="", predictions_from="", trainer={}, locator="", declared_at="",
)  # fmt: skip
TWIN = replace(REFERENCE, pattern="test/twin", same_as=REFERENCE.id)
ENVIRONMENT = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": "2.6.6"}, "unavailable": ""})


def told(figure, epoch, step=None, name="val_mean"):
    at = epoch * STEPS + STEPS - 1 if step is None else step
    return {"step": at, "epoch": epoch, "metrics": {name: encode_number(figure)}}


def training(stages=("train",), figures=TRUTHS, sums=SUMS) -> Operations:
    history = Operations()
    history.add("trial", "invoke", {})
    history.add("plan", "info", {"max_epochs": EPOCHS, "stages": list(stages), "hooks": [], "owners": []})
    history.add("weights", "info", {"crc32": 1, "state_crc32": 2}, stage="train", epoch=0)
    for epoch in range(EPOCHS):
        for stage in stages:
            for index, ids in enumerate(WORKLOAD.batches(stage)):
                history.add("batch", "invoke", stage=stage, epoch=epoch, batch=index)
                history.add("batch", "ok", batch(ids, epoch), stage=stage, epoch=epoch, batch=index)
        history.add("weights", "info", sums[epoch], stage="train", epoch=epoch)
    for epoch, figure in enumerate(figures):
        history.add("logger", "ok", told(figure, epoch), stage="train", epoch=EPOCHS - 1, step=epoch)
    history.add("trial", "ok")
    history.add("exit", "info", ended())
    return history


@pytest.fixture
def case(tmp_path):
    """Makes a case of a twin's operations, and of those of what it is to be the same as."""

    def make(operations, scenario=TWIN, reference=None):
        return Case(*_read(operations, scenario), ENVIRONMENT, reference)

    def _read(operations, scenario):
        path = tmp_path / "history.jsonl"
        path.unlink(missing_ok=True)
        recorder = Recorder(path)
        for operation in operations:
            recorder.write(**operation)
        recorder.close()
        trial = Trial(scenario.id, "", "lightning", WORKLOAD.name, "cpu", 0)
        return trial, scenario, WORKLOAD, reader.read(path)

    return make


@pytest.fixture
def twin(case):
    """Makes a case of operations that are compared with a training in which nothing goes wrong."""
    first = case(training(("train", "validation")), REFERENCE)

    def make(operations, **different):
        return case(operations, replace(TWIN, **different), first)

    return make


def verdicts(of: Case, checker: str) -> dict[str, str]:
    return {each.aggregate: each.verdict for each in judge(of) if each.checker == checker}


class TestSameAs:
    def test_the_same_training_is_the_same(self, twin):
        findings = [each for each in judge(twin(training())) if each.checker == "same_as"]
        assert {each.aggregate: (each.verdict, each.message) for each in findings} == {
            "weights": ("ok", ""), "val_mean": ("ok", ""),
        }  # fmt: skip

    def test_figures_that_come_in_another_order_are_the_same(self, twin):
        told_last_to_first = [each for each in reversed(training()) if each["f"] == "logger"]
        history = training().without(f="logger").preceded_by(told_last_to_first, f="trial", type="ok")
        assert verdicts(twin(history), "same_as") == {"weights": "ok", "val_mean": "ok"}

    @pytest.mark.parametrize("epoch", range(EPOCHS))
    @pytest.mark.parametrize("which", ["crc32", "state_crc32"])
    def test_weights_that_differ_are_told(self, twin, epoch, which):
        sums = [*SUMS]
        sums[epoch] = {**SUMS[epoch], which: 0xABC}
        other = twin(training(sums=sums))
        finding = found(other, "same_as", "weights")
        assert (finding.verdict, finding.epoch, finding.as_expected) == ("violated", epoch, False)
        here, there = (" and ".join(f"{value:08x}" for value in each[epoch].values()) for each in (sums, SUMS))
        assert finding.message == f"after epoch {epoch} their checksums are {here}, not {there}"
        assert shown(other, finding) == ["weights"]
        assert [each.verdict for each in finding.per_epoch].count("ok") == EPOCHS - 1

    def test_weights_that_nobody_looked_at_are_not_the_same(self, twin):
        blind = twin(training().without(f="weights", epoch=1))
        finding = found(blind, "same_as", "weights")
        assert finding.message == "after epoch 1 their checksums are not known, not 0000000b and 00000015"

    def test_a_figure_that_differs_in_its_last_bit_is_told(self, twin):
        other = twin(training(figures=(TRUTHS[0], ONE_BIT_MORE, TRUTHS[2])))
        finding = found(other, "same_as", "val_mean")
        assert (finding.verdict, finding.epoch) == ("violated", 1)
        assert (finding.observed, finding.prediction) == (ONE_BIT_MORE, TRUTHS[1])
        assert finding.message == (
            f"told {ONE_BIT_MORE} at step 3 of epoch 1, not {TRUTHS[1]} at step 3; "
            "both are the truth within its error bound, added up in another order or precision"
        )
        assert shown(other, finding) == ["logger"]

    def test_a_figure_of_other_weights_says_so(self, twin):
        history = training(figures=(TRUTHS[0], 1.0, TRUTHS[2]), sums=(SUMS[0], SUMS[0], SUMS[2]))
        assert found(twin(history), "same_as", "val_mean").message == (
            f"told 1.0 at step 3 of epoch 1, not {TRUTHS[1]} at step 3; its weights are others"
        )

    def test_figures_of_each_others_epochs_are_told(self, twin):
        finding = found(twin(training(figures=(TRUTHS[1], TRUTHS[0], TRUTHS[2]))), "same_as", "val_mean")
        assert [each.verdict for each in finding.per_epoch] == ["violated", "violated", "ok"]
        assert finding.message == (
            f"told {TRUTHS[1]} at step 1 of epoch 0, not {TRUTHS[0]} at step 1; its weights are the same, so that is "
            "of other ones, or of other samples, or of another arithmetic"
        )

    @pytest.mark.parametrize(("step", "words"), [(4, "step 4"), (None, "no step")])
    def test_a_figure_at_another_step_is_told(self, twin, step, words):
        history = training().with_value({**told(TRUTHS[2], 2), "step": step}, f="logger", step=2)
        finding = found(twin(history), "same_as", "val_mean")
        assert finding.message == f"told 7.5 at {words} of epoch 2, not 7.5 at step 5"

    def test_a_figure_that_is_told_twice_is_told(self, twin):
        finding = found(twin(training().twice(f="logger", step=1)), "same_as", "val_mean")
        assert finding.message == "told 6.5 at step 3 and 6.5 at step 3 of epoch 1, not 6.5 at step 3"

    def test_a_figure_that_is_missing_is_told(self, twin):
        finding = found(twin(training().without(f="logger", step=2)), "same_as", "val_mean")
        assert finding.message == "told nothing of epoch 2, not 7.5 at step 5"
        assert (finding.observed, finding.prediction) == (None, 7.5)

    def test_a_figure_that_is_no_number_on_both_sides_is_the_same(self, case):
        nan = training(figures=[math.nan] * EPOCHS)
        assert verdicts(case(nan, TWIN, case(nan, REFERENCE)), "same_as")["val_mean"] == "ok"

    def test_figures_that_neither_was_told_are_not_judged(self, case):
        silent = training(figures=())
        finding = found(case(silent, TWIN, case(silent, REFERENCE)), "same_as", "val_mean")
        assert (finding.verdict, finding.message) == ("unknown", "neither of the two was told it")

    def test_figures_of_training_or_read_elsewhere_are_not_compared(self, twin):
        aggregates = [
            replace(FIGURE, stage="train"), replace(FIGURE, reported_in="callback_metrics"),
            replace(FIGURE, needs="pytorch_lightning<2.0"),
        ]  # fmt: skip
        assert verdicts(twin(training(), aggregates=aggregates), "same_as") == {"weights": "ok"}

    def test_a_difference_may_be_expected(self, twin):
        expects = (Expect("violated", "val_mean", "same_as"),)
        finding = found(twin(training(figures=(0.0, *TRUTHS[1:])), expects=expects), "same_as", "val_mean")
        assert finding.as_expected

    def test_without_the_other_trial_nothing_is_known(self, case):
        alone = case(training())
        assert verdicts(alone, "same_as") == {"weights": "unknown", "val_mean": "unknown"}
        assert found(alone, "same_as", "weights").message == (
            "there is no trial of test/first/recommended on ids/twins to compare it with"
        )

    def test_with_one_that_did_not_complete_nothing_is_known(self, case):
        broken = case(training().without(f="trial", type="ok"), REFERENCE)
        assert found(case(training(), TWIN, broken), "same_as", "weights").message == (
            "the trial of test/first/recommended that it is compared with did not complete"
        )

    def test_what_is_to_be_the_same_as_nothing_is_compared_with_nothing(self, case):
        assert verdicts(case(training(), REFERENCE), "same_as") == {}

    def test_what_did_not_complete_is_compared_with_nothing(self, twin):
        assert verdicts(twin(training().without(f="trial", type="ok")), "same_as") == {}


class TestTruthOutOfSight:
    """Of `aggregate`, where no step of validation is in the history."""

    def test_it_is_that_of_the_other_trial(self, twin):
        here = twin(training())
        finding = found(here, "aggregate", "val_mean")
        assert (finding.verdict, [each.truth for each in finding.per_epoch]) == ("exact", list(TRUTHS))
        assert shown(here, finding) == ["logger"]

    def test_a_figure_that_is_not_the_true_one_is_wrong(self, twin):
        assert found(twin(training(figures=(0.0, *TRUTHS[1:]))), "aggregate", "val_mean").verdict == "wrong"

    @pytest.mark.parametrize("epoch", range(EPOCHS))
    def test_it_is_not_known_where_weights_are_others(self, twin, epoch):
        sums = [*SUMS]
        sums[epoch] = {**SUMS[epoch], "crc32": 0}
        finding = found(twin(training(sums=sums)), "aggregate", "val_mean")
        assert (finding.verdict, finding.epoch, finding.observed) == ("unknown", epoch, TRUTHS[epoch])
        assert finding.message == (
            "its steps ran where nobody could record them, and its weights are not those of the reference"
        )
        assert not finding.as_expected

    def test_it_is_not_known_without_the_other_trial(self, case):
        finding = found(case(training()), "aggregate", "val_mean")
        assert (finding.verdict, finding.message) == (
            "unknown",
            "its steps ran where nobody could record them, and "
            "there is no trial of test/first/recommended on ids/twins to compare it with",
        )

    def test_it_is_not_known_where_the_other_did_not_complete(self, case):
        broken = case(training(("train", "validation")).without(f="trial", type="ok"), REFERENCE)
        assert found(case(training(), TWIN, broken), "aggregate", "val_mean").verdict == "unknown"

    def test_what_is_in_sight_is_judged_by_its_own_steps(self, twin):
        seen = training(("train", "validation"), figures=[truth + 1 for truth in TRUTHS])
        seen = seen.with_value(batch((4, 5), 1), f="batch", type="ok", stage="validation", epoch=0, batch=0)
        seen = seen.with_value(batch((6, 7), 1), f="batch", type="ok", stage="validation", epoch=0, batch=1)
        finding = found(twin(seen), "aggregate", "val_mean")
        assert [each.verdict for each in finding.per_epoch] == ["exact", "wrong", "wrong"]


def test_the_step_of_a_figure_of_steps_out_of_sight_is_compared_and_not_counted(twin):
    assert verdicts(twin(training()), "report_step") == {}
    assert verdicts(twin(training(("train", "validation"))), "report_step") == {"val_mean": "violated"}
