"""Workloads that are written out: read back as they were written, and refused with a word on what to write."""

import pytest
from drawn import partitions, schedules
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.workloads import sharing
from harness.workloads.partitions import Cut, Partition
from harness.workloads.schedule import Schedule
from harness.workloads.written_out import is_written_out, parse, write

CUT = Partition(Cut.into([4]), Cut.into([2]))


@given(
    partition=partitions, schedule=schedules(batches=5, validation_batches=3), sharing=st.sampled_from(sharing.SHARINGS)
)
@settings(deadline=None, derandomize=True)
def test_a_workload_is_read_as_it_was_written(partition, schedule, sharing):
    text = write(partition, schedule, sharing)
    assert is_written_out(text)
    assert parse(text) == (partition, schedule, sharing)


def test_what_is_usual_is_not_written():
    assert write(CUT, Schedule()) == str(CUT)
    assert write(CUT, Schedule(accumulate=3, train_limit=0.5)) == f"{CUT},accumulate=3,train_limit=0.5"
    assert write(CUT, Schedule(), "padded") == f"{CUT},shared=padded"


def test_one_batch_and_a_whole_pass_are_told_apart():
    assert parse(f"{CUT},train_limit=1")[1] == Schedule(train_limit=1)
    assert isinstance(parse(f"{CUT},train_limit=1")[1].train_limit, int)


@pytest.mark.parametrize(
    "part", ["accumulate=0", "accumulate=0.5", "epochs=", "epochs", "stopped_at=2", "train_limit=0.0", "train_limit=-1"]
)
def test_what_is_malformed_is_refused_with_an_example(part):
    with pytest.raises(UsageError, match=f"malformed schedule '{part}'.* for example 'accumulate=2,train_limit=0.5'"):
        parse(f"{CUT},{part}")


@pytest.mark.parametrize("shared", ["", "fairly", "padded,epochs=2"])
def test_a_way_to_share_that_there_is_not_is_refused(shared):
    with pytest.raises(UsageError, match=f"ranks cannot share batches as '{shared}': .* dealt, padded, all"):
        parse(f"{CUT},shared={shared}")


def test_what_no_file_name_would_hold_is_refused():
    with pytest.raises(UsageError, match="is longer than 160 characters"):
        parse(f"train={'+'.join(['1', '2'] * 60)},validation=1")
