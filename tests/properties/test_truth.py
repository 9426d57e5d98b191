"""The oracle on drawn samples and partitions: what must not matter does not, to the bit or within the bound."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.oracle import quantities
from harness.oracle.measured import FLOAT32, Measured, weighted_mean
from harness.oracle.predictions import (
    Batch,
    mean_of_batch_means,
    over_the_epoch,
    weighted_by_batch_size,
    weighted_on_rank_zero,
    weighted_with_truncated_count,
)
from harness.oracle.quantities import Quantity

MANY = settings(deadline=None, max_examples=50)
QUANTITIES = [value for value in vars(quantities).values() if isinstance(value, Quantity)]
OF_CLASSES = (
    quantities.cross_entropy, quantities.accuracy, quantities.class_distance, quantities.f1_macro,
    quantities.auroc_macro,
)  # fmt: skip
MEANS = (
    quantities.cross_entropy, quantities.accuracy, quantities.class_distance, quantities.mean_squared_error,
    quantities.mean_of_outputs,
)  # fmt: skip
of_every_quantity = pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.name)
of_every_mean = pytest.mark.parametrize("quantity", MEANS, ids=lambda quantity: quantity.name)


def samples(quantity: Quantity, n: int, seed: int) -> Batch:
    """Of a model that has learned something, with outputs that float32 holds."""
    generator = np.random.default_rng(seed)
    if quantity in OF_CLASSES:
        targets = generator.integers(0, 4, n)
        outputs = generator.normal(size=(n, 4)) + np.eye(4)[targets]
    else:
        targets = generator.normal(size=(n, 1))
        outputs = targets + generator.normal(size=(n, 1))
    return Batch(tuple(range(n)), outputs.astype(np.float32).astype(np.float64), targets.astype(np.float64))


def cut(whole: Batch, ends: set[int]) -> list[Batch]:
    """In batches that end there, and at the end of the samples."""
    bounds = [0, *sorted(ends & set(range(1, len(whole.ids)))), len(whole.ids)]
    return [taken(whole, range(start, end)) for start, end in pairwise(bounds)]


def taken(whole: Batch, rows) -> Batch:
    rows = list(rows)
    return Batch(tuple(whole.ids[row] for row in rows), whole.outputs[rows], whole.targets[rows])


counts = st.integers(1, 60)
seeds = st.integers(0, 2**32 - 1)
ends = st.sets(st.integers(1, 59), max_size=12)
ranks = st.integers(1, 4)


@of_every_quantity
@given(n=counts, seed=seeds, ends=ends, order=st.randoms(use_true_random=False), ranks=ranks)
@MANY
def test_the_truth_does_not_depend_on_order_batches_or_ranks(quantity, n, seed, ends, order, ranks):
    """Sums are rounded once (`math.fsum`), and all else is computed sample by sample."""
    whole = samples(quantity, n, seed)
    shuffled = taken(whole, order.sample(range(n), n))
    spread = [replace(batch, rank=index % ranks) for index, batch in enumerate(cut(shuffled, ends))]
    truth, again = over_the_epoch(quantity, [[whole]]), over_the_epoch(quantity, [spread])
    assert again.value == truth.value or np.isnan([again.value, truth.value]).all()
    assert again.bound == pytest.approx(truth.bound)


@of_every_mean
@given(n=counts, seed=seeds, ends=ends)
@MANY
def test_a_mean_weighted_by_batch_sizes_is_the_truth(quantity, n, seed, ends):
    batches = cut(samples(quantity, n, seed), ends)
    assert over_the_epoch(quantity, [batches]).admits(weighted_by_batch_size(quantity, [batches]).value)


@of_every_mean
@given(size=st.integers(1, 12), count=st.integers(1, 6), seed=seeds)
@MANY
def test_a_mean_over_batches_of_one_size_is_the_truth(quantity, size, count, seed):
    batches = cut(samples(quantity, size * count, seed), {size * k for k in range(count)})
    assert over_the_epoch(quantity, [batches]).admits(mean_of_batch_means(quantity, [batches]).value)


@of_every_mean
@given(n=counts, seed=seeds, ends=ends, ranks=ranks)
@MANY
def test_a_count_cut_off_to_an_integer_makes_a_mean_larger_by_what_was_cut_off(quantity, n, seed, ends, ranks):
    """The sum over all samples is divided by ranks * floor(n / ranks), and rank 0 alone has its own mean."""
    batches = [
        replace(batch, rank=index % ranks, ranks=ranks)
        for index, batch in enumerate(cut(samples(quantity, n, seed), ends))
    ]  # fmt: skip
    truth, predicted = over_the_epoch(quantity, [batches]), weighted_with_truncated_count(quantity, [batches])
    if n >= ranks:
        assert predicted.value * ranks * (n // ranks) == pytest.approx(truth.value * n, rel=1e-12, abs=1e-15)
    mine = batches[::ranks]
    assert over_the_epoch(quantity, [mine]).admits(weighted_on_rank_zero(quantity, [batches]).value)


figures = st.builds(Measured, st.floats(-1e6, 1e6), st.floats(0, 1))


@given(
    weighted=st.lists(st.tuples(figures, st.integers(1, 50)), min_size=1, max_size=8),
    weightless=st.lists(figures, min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
)
@MANY
def test_what_has_no_weight_changes_no_weighted_mean(weighted, weightless, order):
    """Its bound may grow, since a framework does round the sums of what it multiplied by 0 on the way."""
    more = [*weighted, *((part, 0) for part in weightless)]
    order.shuffle(more)
    without, with_them = (
        weighted_mean([part for part, _ in parts], [weight for _, weight in parts], FLOAT32)
        for parts in (weighted, more)
    )
    assert with_them.value == without.value
    assert with_them.bound >= without.bound or with_them.bound == pytest.approx(without.bound)
