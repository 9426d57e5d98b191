"""What checkers say of an epoch that ranks share, on hand-made histories that are fine, and with defects planted.

Samples 0 to 5 are trained on in three batches of 2, samples 6 to 10 validated on in two of 2 and one of 1; the model
outputs a sample's id, and every rank runs in a process that has the rank's number.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from histories import batch, ended, found, objections

from harness.checkers.case import Case
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.history.encoding import encode_number
from harness.history.reader import History, Operation
from harness.oracle.across import over_each_sample_once
from harness.oracle.predictions import over_the_epoch
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import Aggregate, Scenario
from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload

WORKLOAD = Workload(
    name="ids/shared",
    task="regression",
    features=np.arange(11, dtype=np.float32)[:, None],
    targets=np.zeros((11, 1), dtype=np.float32),
    train=((0, 1), (2, 3), (4, 5)),
    validation=((6, 7), (8, 9), (10,)),
    schedule=Schedule(epochs=1),
)
FIGURE = Aggregate("val_mean", of=mean_of_outputs, stage="validation")
SCENARIO = Scenario(
    pattern="test/shared", variant="recommended", source="", module=object, workloads=("ids/*",), aggregates=(FIGURE,),
    framework="lightning", hooks=(), expects=(), needs="", predictions_from="", trainer={}, locator="", declared_at="",
)  # fmt: skip
ENVIRONMENT = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": "2.6.6"}, "unavailable": ""})
STAGES = ("train", "validation")
PLANNED = {"max_epochs": 1, "stages": list(STAGES), "hooks": [], "owners": []}

Shares = Callable[[int, str], tuple[tuple[int, ...], ...]]


def case(
    sharing: str, ranks: int = 2, given: Shares | None = None, process: Callable[[int], int] = int, told: float = 8.0,
    figure: Aggregate = FIGURE, seen: int | None = None,
) -> Case:  # fmt: skip
    """A trial that is fine, but for what is asked for otherwise.

    Args:
        given: the batches that each rank takes steps with.
        process: that each rank runs in.
        told: the mean that is reported.
        seen: how many ranks there are.
    """
    workload = replace(WORKLOAD, sharing=sharing)
    given = given or (lambda rank, stage: workload.of_rank(rank, ranks).batches(stage))
    operations: list[Operation] = []

    def add(f: str, type: str, value: object = None, rank: int = 0, **stamp: object) -> None:
        at = {"stage": None, "epoch": None, "step": None, "batch": None, **stamp}
        line = len(operations) + 1
        operations.append(
            Operation(line, f, type, value=value, fault=None, t_ns=0, rank=rank, process=process(rank), **at)
        )

    add("trial", "invoke")
    add("plan", "info", PLANNED)
    for rank in range(ranks if seen is None else seen):
        for stage in STAGES:
            add(f"on_{stage}_epoch_start", "info", rank=rank, stage=stage, epoch=0)
            for index, ids in enumerate(given(rank, stage)):
                add("batch", "invoke", rank=rank, stage=stage, epoch=0, batch=index)
                add("batch", "ok", batch(ids, 0), rank=rank, stage=stage, epoch=0, batch=index)
            add(f"on_{stage}_epoch_end", "info", rank=rank, stage=stage, epoch=0)
    steps = len(workload.of_rank(0, ranks).batches("train"))
    figures = {"step": steps - 1, "epoch": 0, "metrics": {"val_mean": encode_number(told)}}
    add("logger", "ok", figures, stage="validation", epoch=0)
    add("trial", "ok")
    add("exit", "info", ended())
    trial = Trial("test/shared/recommended", "", "lightning", workload.name, "cpu", 0, ranks=ranks)
    return Case(trial, replace(SCENARIO, aggregates=(figure,)), workload, History(tuple(operations)), ENVIRONMENT)


def replicas(**otherwise) -> Case:
    """Two of Keras, each of which records its part of the batches."""
    parts = case("dealt", 2, **otherwise)
    return replace(parts, trial=replace(parts.trial, framework="keras"))


def of_ranks(of: Case) -> list[tuple[str, str, str]]:
    """What is objected to of samples, ranks and figures: the rest is another file's."""
    return [each for each in objections(of) if each[0] in ("samples", "ranks", "aggregate")]


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("sharing", ["dealt", "padded", "all"])
def test_an_epoch_that_is_shared_as_planned_meets_no_objection(sharing, ranks):
    figure = replace(FIGURE, predicts=over_each_sample_once)
    assert of_ranks(case(sharing, ranks, figure=figure)) == []


class TestRanks:
    def test_each_that_ran_is_found_to_have_run(self):
        assert [found(case("dealt", 3), "ranks", f"rank {rank}").verdict for rank in range(3)] == ["ok"] * 3

    def test_where_one_runs_alone_there_is_nothing_to_prove(self):
        with pytest.raises(ValueError, match="not enough values"):
            found(case("dealt", 1), "ranks", "rank 0")

    def test_one_that_never_ran_is_named(self):
        finding = found(case("dealt", 2, seen=1), "ranks", "rank 1")
        assert (finding.verdict, finding.as_expected) == ("violated", False)
        assert finding.message == "never ran, and 2 were asked for"

    def test_one_too_many_is_named(self):
        finding = found(case("dealt", 2, seen=3, given=lambda *_: ((0, 1),)), "ranks", "rank 2")
        assert (finding.verdict, finding.message) == ("violated", "ran, and 2 were asked for")
        assert finding.evidence

    def test_two_in_one_process_are_named(self):
        finding = found(case("dealt", 2, process=lambda _: 7), "ranks", "rank 1")
        assert (finding.verdict, finding.message) == ("violated", "ran in the process of another rank")

    def test_one_that_takes_no_step_is_named(self):
        idle = case("dealt", 2, given=lambda rank, stage: () if (rank, stage) == (1, "train") else ((6, 7),))
        finding = found(idle, "ranks", "rank 1")
        assert (finding.verdict, finding.message) == ("violated", "took no step of train")
        assert finding.evidence

    def test_one_that_is_given_nothing_need_take_no_step(self):
        assert WORKLOAD.of_rank(3, 4).batches("train") == ()
        assert found(case("dealt", 4), "ranks", "rank 3").verdict == "ok"

    def test_replicas_of_keras_share_a_process(self):
        assert found(replicas(process=lambda _: 7), "ranks", "rank 1").verdict == "ok"

    def test_a_replica_that_never_ran_is_named(self):
        """Keras fell back to one: the figures are right, and of no replica."""
        finding = found(replicas(seen=1, given=lambda *_: ((0, 1),)), "ranks", "rank 1")
        assert (finding.verdict, finding.message) == ("violated", "never ran, and 2 were asked for")

    def test_a_replica_without_a_step_is_named(self):
        """No other batch than the first may leave one without samples, and that has a step all the same."""
        idle = replicas(given=lambda rank, stage: () if (rank, stage) == (1, "validation") else ((6, 7),))
        assert found(idle, "ranks", "rank 1").message == "took no step of validation"


class TestSamples:
    def test_replicas_of_keras_share_each_batch(self):
        """Each records its part; in the eyes of the schedule they are one process."""
        assert found(replicas(), "samples", "train").verdict == "ok"

    def test_what_a_rank_leaves_out_and_what_it_takes_of_another_is_named_with_the_rank(self):
        swapped = case("dealt", 2, given=lambda rank, stage: WORKLOAD.of_rank(1 - rank, 2).batches(stage))
        assert found(swapped, "samples", "validation").message == (
            "epoch 0: dropped 3 samples (6, 7, 10) on rank 0; epoch 0: doubled 2 samples (8, 9) on rank 0; "
            "epoch 0: dropped 2 samples (8, 9) on rank 1; epoch 0: doubled 3 samples (6, 7, 10) on rank 1"
        )

    def test_padding_is_expected_and_named_with_the_rank(self):
        """Five samples are dealt to two ranks: the first of them is given out once more."""
        finding = found(case("padded", 2), "samples", "validation, each once")
        assert (finding.verdict, finding.expected_verdict, finding.as_expected) == ("violated", "violated", True)
        assert finding.message == "epoch 0: given out once more: 1 samples (6) on rank 1"
        assert finding.evidence

    def test_where_nothing_is_padded_nothing_is_to_be_given_out_twice(self):
        assert found(case("padded", 2), "samples", "train, each once").verdict == "ok"

    def test_padding_that_is_missing_is_objected_to(self):
        shares = {0: ((6, 8), (10,)), 1: ((7, 9),)}
        unpadded = case("padded", 2, given=lambda rank, stage: shares[rank] if stage == "validation" else ((0, 1),))
        assert ("samples", "validation, each once", "ok") in objections(unpadded)
        assert found(unpadded, "samples", "validation").message == "epoch 0: dropped 1 samples (6) on rank 1"

    def test_the_order_that_padded_training_is_in_is_nobodys_business(self):
        shares = {0: ((5, 0), (3,)), 1: ((1, 4), (2,))}
        drawn = case("padded", 2, given=lambda rank, stage: shares[rank] if stage == "train" else ((6, 7),))
        assert found(drawn, "samples", "train").verdict == "ok"

    def test_a_sample_that_padded_training_leaves_out_is_named(self):
        shares = {0: ((5, 0), (3,)), 1: ((1, 4), (3,))}
        drawn = case("padded", 2, given=lambda rank, stage: shares[rank] if stage == "train" else ((6, 7),))
        assert found(drawn, "samples", "train").message == "epoch 0: dropped 1 samples (2)"

    def test_a_rank_that_has_fewer_than_its_part_of_padded_training_is_named(self):
        shares = {0: ((5, 0), (3, 2)), 1: ((1, 4),)}
        drawn = case("padded", 2, given=lambda rank, stage: shares[rank] if stage == "train" else ((6, 7),))
        assert found(drawn, "samples", "train").message == (
            "epoch 0: 4 samples in place of 3 on rank 0; epoch 0: 2 samples in place of 3 on rank 1"
        )

    def test_where_all_have_everything_every_further_rank_has_it_once_more(self):
        message = found(case("all", 3), "samples", "train, each once").message
        assert message == (
            "epoch 0: given out once more: 6 samples (0, 1, 2, 3, 4, 5) on rank 1; "
            "epoch 0: given out once more: 6 samples (0, 1, 2, 3, 4, 5) on rank 2"
        )


class TestFigures:
    """The mean over samples 6 to 10 is 8; with sample 6 twice it is 46 / 6; of rank 0 alone, 6, 8 and 10, it is 8."""

    def test_truth_counts_what_is_given_out_once_more_once(self):
        finding = found(case("padded", 2, told=46 / 6), "aggregate", "val_mean")
        assert (finding.verdict, finding.truth, finding.prediction) == ("biased", 8.0, 46 / 6)

    def test_who_leaves_the_padding_out_is_exact(self):
        exact = case("padded", 2, figure=replace(FIGURE, predicts=over_each_sample_once))
        assert found(exact, "aggregate", "val_mean").verdict == "exact"

    @pytest.mark.parametrize(
        ("across", "predicted"), [("samples", 8.0), ("ranks", (23 / 3 + 17 / 2) / 2), ("rank_zero", 23 / 3)]
    )
    def test_a_prediction_is_over_what_the_aggregate_says(self, across, predicted):
        """Rank 0 has samples 6, 7 and 10, rank 1 has 8 and 9."""
        figure = replace(FIGURE, predicts=over_the_epoch, across=across)
        finding = found(case("dealt", 2, told=predicted, figure=figure), "aggregate", "val_mean")
        assert finding.prediction == pytest.approx(predicted)
        assert finding.as_expected

    def test_on_one_rank_it_makes_no_difference(self):
        figure = replace(FIGURE, across="rank_zero")
        assert found(case("dealt", 1, figure=figure), "aggregate", "val_mean").verdict == "exact"
