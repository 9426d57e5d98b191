"""Figures of an epoch that ranks share, each by hand: two ranks, of which 0 has outputs 0, 0 and 2, and 1 has 1, 1, 1
and 3, in batches of one number each."""

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.oracle.across import across, of_rank_zero, of_ranks, over_each_sample_once, share_of_a_replica
from harness.oracle.measured import Measured
from harness.oracle.predictions import (
    Batch,
    largest_batch_value,
    mean_of_batch_means,
    over_the_epoch,
    smallest_batch_value,
    sum_of_batch_values,
    weighted_by_batch_size,
    weighted_with_truncated_count,
)
from harness.oracle.quantities import Quantity, mean_of_outputs

IDS = ((0, 1), (2, 3, 4), (5,), (6,))
VAGUE = Quantity("vague", lambda outputs, *_: Measured(float(outputs.mean()), 0.25))


def of(ids: tuple[int, ...], *outputs: float, **more: int) -> Batch:
    return Batch(ids, np.array(outputs)[:, None], np.zeros((len(ids), 1)), **more)


def shared(ranks: int = 2) -> list[Batch]:
    return [of(ids, *[float(i)] * len(ids), rank=i % 2, ranks=ranks) for i, ids in enumerate(IDS)]


NOTHING = Batch((), np.empty((0, 1)), np.empty((0, 1)), rank=1, ranks=2)


def value(prediction, *epochs: list[Batch]) -> float:
    return prediction(mean_of_outputs, epochs or [shared()]).value


class TestAcross:
    def test_rank_zero_makes_it_of_its_own_batches(self):
        assert value(of_rank_zero(over_the_epoch)) == 2 / 3
        assert value(of_rank_zero(mean_of_batch_means)) == 1

    def test_errors_of_rank_zero_are_its_own(self):
        assert of_rank_zero(mean_of_batch_means)(VAGUE, [shared()]).bound == pytest.approx(0.25, rel=1e-5)

    def test_rank_zero_knows_of_its_own_in_every_epoch(self):
        def epochs_of(quantity, epochs):
            return Measured(float(sum(len(batches) for batches in epochs)), 0.0)

        assert value(of_rank_zero(epochs_of), shared(), shared()) == 4

    @pytest.mark.parametrize(
        ("by", "figure"), [("mean", (2 / 3 + 1.5) / 2), ("sum", 2 / 3 + 1.5), ("min", 2 / 3), ("max", 1.5)]
    )
    def test_figures_of_ranks_are_reduced_each_rank_counting_the_same(self, by, figure):
        assert value(of_ranks(over_the_epoch, by)) == pytest.approx(figure, rel=1e-15)

    def test_if_nothing_is_said_by_their_mean(self):
        assert value(of_ranks(over_the_epoch)) == value(of_ranks(over_the_epoch, "mean"))

    @pytest.mark.parametrize(("by", "bound"), [("mean", 0.25), ("sum", 0.5), ("min", 0.25), ("max", 0.25)])
    def test_errors_of_ranks_are_carried(self, by, bound):
        assert of_ranks(over_the_epoch, by)(VAGUE, [shared()]).bound == pytest.approx(bound, rel=1e-5)

    @pytest.mark.parametrize("by", ["mean", "sum"])
    def test_a_reduction_is_rounded(self, by):
        assert of_ranks(over_the_epoch, by)(mean_of_outputs, [shared()]).bound > 2.0**-24

    def test_a_rank_that_reports_nothing_leaves_nothing_to_reduce(self):
        def none_on_rank_one(quantity, epochs):
            return None if epochs[-1][0].rank else Measured(1.0, 0.0)

        assert of_ranks(none_on_rank_one)(mean_of_outputs, [shared()]) is None

    def test_a_rank_without_data_has_no_mean(self):
        assert math.isnan(value(of_ranks(over_the_epoch), shared(ranks=3)))

    def test_each_sample_counts_once_as_it_was_first_seen(self):
        """Sample 6 is seen by rank 1 in its first batch, sample 5 by rank 0 in its second."""
        padded = [
            of((0, 1), 1.0, 2.0, rank=0),
            of((5, 6), 3.0, 100.0, rank=0),
            of((6, 7), 4.0, 5.0, rank=1),
            of((5,), 100.0, rank=1),
        ]
        assert value(over_each_sample_once, padded) == (1 + 2 + 3 + 4 + 5) / 5

    def test_where_no_sample_is_given_out_twice_that_is_the_truth(self):
        assert over_each_sample_once(mean_of_outputs, [shared()]) == over_the_epoch(mean_of_outputs, [shared()])

    def test_of_no_sample_there_is_no_mean(self):
        assert math.isnan(value(over_each_sample_once, []))

    @pytest.mark.parametrize(("how", "figure"), [("samples", 1.5), ("rank_zero", 1.0), ("ranks", (1 + 2) / 2)])
    def test_an_aggregate_says_which(self, how, figure):
        """Batch means are 0 and 2 on rank 0, 1 and 3 on rank 1."""
        epochs = [shared()]
        assert across(how, mean_of_batch_means)(mean_of_outputs, epochs).value == figure

    @pytest.mark.parametrize(("replicas", "figure"), [(1, 1.5), (2, 0.75), (3, 0.5)])
    def test_a_replica_has_its_share_of_a_loss(self, replicas, figure):
        batches = [replace(batch, rank=0, ranks=replicas) for batch in shared()]
        assert value(share_of_a_replica(mean_of_batch_means), batches) == pytest.approx(figure, rel=1e-15)

    @pytest.mark.parametrize(("replicas", "bound"), [(1, 0.25), (2, 0.125)])
    def test_so_it_has_of_the_error(self, replicas, bound):
        batches = [replace(batch, rank=0, ranks=replicas) for batch in shared()]
        assert share_of_a_replica(over_the_epoch)(VAGUE, [batches]).bound == pytest.approx(bound, rel=1e-6)

    def test_a_share_is_rounded(self):
        whole, share = over_the_epoch(mean_of_outputs, [shared()]), share_of_a_replica(over_the_epoch)
        assert share(mean_of_outputs, [shared()]).bound > whole.bound / 2 + 2.0**-24 * whole.value / 2

    def test_a_replica_without_samples_has_a_loss_of_0(self):
        """Three batches of 0, 1 and 2, and one that is empty, of two replicas: 3 / 4 / 2."""
        assert value(share_of_a_replica(mean_of_batch_means), [*shared()[:3], NOTHING]) == 3 / 4 / 2

    def test_a_share_of_nothing_is_none(self):
        assert share_of_a_replica(lambda *_: None)(mean_of_outputs, [shared()]) is None

    def test_a_replica_without_samples_weighs_nothing(self):
        assert value(weighted_by_batch_size, [*shared(), NOTHING]) == value(weighted_by_batch_size)


class TestReducedBatchValues:
    @pytest.mark.parametrize(
        ("prediction", "figure", "bound"),
        [(sum_of_batch_values, 6, 1), (smallest_batch_value, 0, 0.25), (largest_batch_value, 3, 0.25)],
    )
    def test_is_of_every_batch_of_every_rank(self, prediction, figure, bound):
        assert value(prediction) == figure
        assert prediction(VAGUE, [shared()]).bound == pytest.approx(bound, rel=1e-5)

    @pytest.mark.parametrize(
        ("prediction", "figure"),
        [(sum_of_batch_values, 0), (smallest_batch_value, math.inf), (largest_batch_value, -math.inf)],
    )
    def test_of_no_batch_it_is_what_it_starts_from(self, prediction, figure):
        assert prediction(mean_of_outputs, [[]]).value == figure

    def test_a_sum_is_rounded(self):
        assert sum_of_batch_values(mean_of_outputs, [shared()]).bound > 2.0**-24


class TestTruncatedCount:
    """Seven samples that sum up to 8."""

    @pytest.mark.parametrize(("ranks", "counted"), [(2, 6), (3, 6), (4, 4), (7, 7)])
    def test_is_of_as_many_ranks_as_there_are_with_data_or_without(self, ranks, counted):
        assert value(weighted_with_truncated_count, shared(ranks)) == pytest.approx(8 / counted, rel=1e-15)

    def test_of_fewer_samples_than_ranks_it_is_zero_by_which_is_divided(self):
        one = of((0,), 2.0, ranks=2)
        assert value(weighted_with_truncated_count, [one]) == math.inf
        assert value(weighted_with_truncated_count, [replace(one, outputs=-one.outputs)]) == -math.inf
        assert math.isnan(value(weighted_with_truncated_count, [replace(one, outputs=0 * one.outputs)]))

    def test_of_no_sample_there_is_none(self):
        assert math.isnan(value(weighted_with_truncated_count, []))
