"""Collectives are counted where torch is asked for them, and told epoch by epoch."""

import pytest
from torch import distributed

from harness import counters
from harness.frameworks.collectives import NAMES, Collectives
from harness.history.reader import History, Operation


@pytest.fixture
def asked(monkeypatch):
    """What torch was asked for; it does nothing."""
    asked: list[str] = []
    for name in NAMES:
        monkeypatch.setattr(distributed, name, lambda *_, name=name, **__: asked.append(name), raising=False)
    return asked


def test_each_is_passed_on_and_counted_within_steps_and_besides(asked):
    in_step = [True]
    collectives = Collectives(lambda: in_step[0])
    collectives.attach()
    distributed.all_reduce("tensor", op="sum")
    in_step[0] = False
    distributed.all_reduce("tensor")
    distributed.barrier()
    assert asked == ["all_reduce", "all_reduce", "barrier"]
    assert collectives.take() == {"in_steps": {"all_reduce": 1}, "besides": {"all_reduce": 1, "barrier": 1}}
    assert collectives.take() == {"in_steps": {}, "besides": {}}


def test_the_last_epoch_of_rank_zero_is_a_counter():
    def told(line, rank, epoch, reduced):
        value = {"in_steps": {"all_reduce": reduced}, "besides": {"barrier": 1, "broadcast": 2}}
        return Operation(line, "collectives", "ok", "train", epoch, None, None, value, None, 0, rank)

    counted = counters.count(History((told(1, 0, 0, 7), told(2, 0, 1, 4), told(3, 1, 1, 9))))
    assert (counted["collectives_in_steps"], counted["collectives_besides"]) == (4, 3)


def test_without_ranks_there_is_no_counter():
    assert not any(name.startswith("collectives") for name in counters.count(History(())))
