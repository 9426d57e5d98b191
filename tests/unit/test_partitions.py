"""Partitions that are written out: read back as they were written, and refused with a word on what to write."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.workloads.partitions import Cut, Partition, parse

reproducible = settings(deadline=None, derandomize=True)

cuts = st.builds(
    Cut.into,
    st.lists(st.integers(1, 12), min_size=1, max_size=6),
    st.none() | st.integers(0, 2**32 - 1),
)
partitions = st.builds(Partition, cuts, cuts)


@given(partition=partitions)
@reproducible
def test_a_partition_is_read_as_it_was_written(partition):
    assert parse(str(partition)) == partition


@given(cut=cuts)
@reproducible
def test_every_sample_comes_once(cut):
    batches = cut.apply(np.arange(cut.samples))
    assert sorted(sample for batch in batches for sample in batch) == list(range(cut.samples))


def test_batches_of_one_size_in_a_row_are_counted():
    assert str(Cut.into([32, 32, 5, 32])) == "2x32+5+32"


def test_batches_have_the_sizes_that_are_written():
    assert parse("train=2x3+1,validation=4").train.apply(np.arange(7)) == ((0, 1, 2), (3, 4, 5), (6,))


def test_an_order_is_a_permutation_of_the_samples_before_they_are_cut():
    (one, other) = (parse(f"train=1,validation=10+10~{seed}").validation.apply(np.arange(20)) for seed in (1, 2))
    assert one != other
    assert [len(batch) for batch in one] == [len(batch) for batch in other] == [10, 10]


@pytest.mark.parametrize(
    "text",
    [
        "train=3", "validation=3,train=3", "train=3,validation=", "train=0,validation=1", "train=3x0,validation=1",
        "train=3,validation=1~", "train=3+,validation=1", "train=-1,validation=1", "train=*,validation=1",
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"malformed partition .*, for example 'train=2x32\+5,validation=3\+1'"):
        parse(text)
