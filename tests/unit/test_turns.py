"""Who goes on when, among processes that take turns: here threads, which read and write the same pipes."""

import os
import select
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from harness.frameworks.measuring import TIMED_S, Timing
from harness.frameworks.turns import Seat, Turns
from harness.upgrade.ring import Ring


def goes_on(seat, epochs, trained):
    """Train until it is over; be done after so many epochs. Returns how many were trained."""
    turns, count = Turns(seat), 0
    while not turns.take(count >= epochs):
        trained.append(seat.number)
        count += 1
    return count


@pytest.fixture
def ring(tmp_path):
    with ThreadPoolExecutor(3) as threads, Ring(tmp_path, 3, core=None) as ring:
        ring.threads = threads
        yield ring


@pytest.mark.parametrize("epochs", [(4, 4, 4), (4, 2, 1), (1, 2, 4), (1, 4, 2)])
def test_turns_go_round_until_all_are_done(ring, epochs):
    trained = []
    counts = list(ring.threads.map(goes_on, ring.seats, epochs, [trained] * 3))
    assert trained == [number % 3 for number in range(len(trained))]
    assert min(counts) >= 4 - 1
    assert max(counts) == 4


def test_nobody_begins_before_all_are_there(ring):
    trained = []
    first, second, third = ring.seats
    waiting = [ring.threads.submit(goes_on, seat, 1, trained) for seat in (first, second)]
    with open(third.pipe, "rb", buffering=0) as pipe:
        assert select.select([pipe], [], [], 60)[0]  # the others have handed on what they had
    assert not trained
    goes_on(third, 1, trained)
    assert [each.result() for each in waiting]
    assert set(trained) == {0, 1, 2}


def test_one_that_is_gone_ends_the_turns_of_the_others(ring):
    """It leaves in its second turn."""
    here = Barrier(3)

    def leaves(seat):
        turns = Turns(seat)
        here.wait()
        turns.take(False)
        turns.take(False)
        ring.end()

    def stays(seat):
        here.wait()
        return goes_on(seat, 10**6, [])

    first, second, third = ring.seats
    ring.threads.submit(leaves, second)
    assert all(each.result(60) >= 1 for each in [ring.threads.submit(stays, seat) for seat in (first, third)])


def test_a_ring_leaves_no_pipe_behind(tmp_path):
    with Ring(tmp_path, 2, core=None):
        assert os.listdir(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_seat_is_told_with_what_is_to_be_measured():
    seat = Seat("/a folder", 1, 3, core=7)
    assert Seat.of_measure(seat.measure) == seat


def test_time_that_others_have_is_not_counted(monkeypatch):
    """Epochs take 0.2 s each, and every turn of the others 5 s; batches two an epoch."""
    now, told = [0.0], []
    monkeypatch.setattr("harness.frameworks.measuring.time.perf_counter", lambda: now[0])

    def others(done):
        told.append(done)
        now[0] += 5.0
        return done

    timing = Timing(take_turns=others)
    timing._batches = 2
    for epoch in range(100):
        timing.epoch_begins(epoch)
        if timing.batch_begins(0):
            break
        now[0] += 0.2
    assert timing.result() == {"seconds_per_step": [pytest.approx(0.1)] * 3}
    assert told == [False, False, False, True]
    assert sum(timing.result()["seconds_per_step"]) * 2 >= TIMED_S
