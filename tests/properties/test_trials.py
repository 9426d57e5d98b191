"""What is exact is exact on every partition, and what is biased is biased as its arithmetic predicts."""

import pytest
from drawn import FEW, cuts_of, holds, partitions, replay, scheduled, seeds
from hypothesis import given

from harness.workloads.partitions import Cut, Partition

RECOMMENDED = [
    "epoch_averaging/per_batch_logging/recommended@digits",
    "epoch_averaging/manual_average/recommended@digits",
    "epoch_averaging/manual_average_regression/recommended@diabetes",
    "epoch_end_hooks/basic_metric/recommended@digits",
    "properties/weightless/recommended@digits",
]
PREDICTED = [
    "epoch_averaging/per_batch_logging/migrated@digits",  # the last batch, and a window of 20
    "epoch_averaging/manual_average/migrated@digits",  # the mean of batch means
    "epoch_averaging/manual_average_regression/migrated@diabetes",
    "epoch_averaging/metric_reduction/migrated@digits",  # weighted by batch size
    "epoch_end_hooks/basic_metric/control@digits",  # all epochs so far
]
SCHEDULED = [
    "strategies/device_sums/recommended",
    "strategies/logged_value/as_documented",
    "strategies/logged_metric/migrated",
    "strategies/every_n_batches/migrated",
]
COMPARED = ["per_batch_logging", "manual_average", "metric_reduction"]
SAMPLES = 24
TRAIN = Cut.into([8])


@pytest.mark.parametrize("scenario", RECOMMENDED)
@given(partition=partitions, seed=seeds)
@FEW
def test_what_is_recommended_is_exact_on_every_partition(laboratory, scenario, partition, seed):
    on = f"{scenario}/{partition}"
    figures = holds(laboratory, on, seed)
    assert {figure.verdict for figure in figures} == {"exact"}, replay(laboratory, on, seed)


@pytest.mark.parametrize("scenario", PREDICTED)
@given(partition=partitions, seed=seeds)
@FEW
def test_what_is_biased_is_so_as_predicted_on_every_partition(laboratory, scenario, partition, seed):
    holds(laboratory, f"{scenario}/{partition}", seed)


@pytest.mark.parametrize("scenario", SCHEDULED)
@given(workload=scheduled(), seed=seeds)
@FEW
def test_every_schedule_gives_the_figures_that_are_predicted_of_it(laboratory, scenario, workload, seed):
    holds(laboratory, f"{scenario}@digits/{workload}", seed)


@pytest.fixture(scope="module")
def in_one_batch(laboratory):
    """The figures over all samples in a single batch, by scenario."""
    return {pattern: compared(laboratory, pattern, Cut.into([SAMPLES])) for pattern in COMPARED}


def compared(laboratory, pattern, validation):
    figures = holds(laboratory, on(pattern, validation))
    return {(figure.aggregate, each.epoch): each for figure in figures for each in figure.per_epoch}


def on(pattern, validation):
    return f"rounds_nothing/{pattern}/recommended@digits/{Partition(TRAIN, validation)}"


@pytest.mark.parametrize("pattern", COMPARED)
@given(validation=cuts_of(SAMPLES))
@FEW
def test_other_batches_of_the_same_samples_give_the_same_figure(laboratory, in_one_batch, pattern, validation):
    """Its truth is the same to the bit, and each figure lies within its own bound of that."""
    again = compared(laboratory, pattern, validation)
    for key, one in in_one_batch[pattern].items():
        other = again[key]
        assert other.truth == one.truth, replay(laboratory, on(pattern, validation), 0)
        apart = abs(other.observed - one.observed)
        assert apart <= one.bound + other.bound, replay(laboratory, on(pattern, validation), 0)
