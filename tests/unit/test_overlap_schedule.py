"""Schedules against their closed forms."""

import pytest

from harness.bench.schedule import (
    MOST_EPOCHS,
    Overhead,
    break_even_epochs,
    break_even_validation_s,
    completions,
    ideal_s,
    predicted_s,
    sequential_s,
)

NOTHING = Overhead()


@pytest.mark.parametrize("epochs", [1, 2, 6, 20])
@pytest.mark.parametrize("ratio", [0.25, 0.5, 1.0])
def test_light_validation_costs_one_validation_in_all(epochs, ratio):
    assert ideal_s(epochs, 1.0, ratio) == epochs + ratio


@pytest.mark.parametrize("epochs", [1, 2, 6, 20])
@pytest.mark.parametrize("ratio", [1.0, 2.0, 3.5])
def test_heavy_validation_by_one_worker_leaves_one_epoch_of_training_visible(epochs, ratio):
    assert ideal_s(epochs, 1.0, ratio) == 1 + epochs * ratio


def test_two_workers_are_enough_where_validation_takes_twice_as_long():
    assert ideal_s(6, 1.0, 2.0, workers=2) == 6 + 2


def test_two_workers_take_turns_where_validation_takes_three_times_as_long():
    # The first begins at 1, 4 and 7, the second at 2, 5 and 8.
    assert completions([1, 2, 3, 4, 5, 6], 3.0, 2) == [4, 5, 7, 8, 10, 11]
    assert ideal_s(6, 1.0, 3.0, workers=2) == 11


def test_a_worker_for_every_epoch_never_keeps_one_waiting():
    assert ideal_s(6, 1.0, 9.0, workers=6) == 6 + 9


def test_the_bounds_that_documents_quote():
    assert sequential_s(6, 1, 1) / ideal_s(6, 1, 1) == pytest.approx(12 / 7)
    assert sequential_s(20, 1, 1) / ideal_s(20, 1, 1) == pytest.approx(40 / 21)


def test_what_a_strategy_takes_besides_is_added_where_it_is_taken():
    overhead = Overhead(start_up=0.25, hand_off=0.125, latency=0.0625, tear_down=0.5)
    assert predicted_s(4, 1.0, 0.5, 1, overhead) == 0.25 + 4 * 1.125 + (0.0625 + 0.5) + 0.5


def test_without_overhead_it_pays_from_the_second_epoch():
    assert break_even_epochs(1.0, 0.5, 1, NOTHING) == 2


def test_a_slow_start_pays_when_it_is_made_up_for():
    # Each epoch after the first saves 0.5 s, so 1.75 s are made up for after four of them.
    assert break_even_epochs(1.0, 0.5, 1, Overhead(start_up=1.75)) == 5


def test_it_never_pays_where_each_hand_off_takes_as_long_as_validation():
    assert break_even_epochs(1.0, 0.5, 1, Overhead(hand_off=0.5)) is None


def test_a_process_for_every_epoch_does_not_wait_for_another():
    # One worker that takes 3 s longer for each epoch never pays; one for each does, when 3 s are saved.
    slow = Overhead(latency=3.0)
    assert break_even_epochs(1.0, 0.5, 1, slow) is None
    assert break_even_epochs(1.0, 0.5, None, slow) == 8


def test_how_heavy_validation_must_be():
    # Of six epochs five overlap: 5 v > 1.
    assert break_even_validation_s(6, 1.0, 1, Overhead(start_up=1.0)) == pytest.approx(0.2, abs=1e-3)


def test_no_validation_is_heavy_enough_for_a_single_epoch():
    assert break_even_validation_s(1, 1.0, 1, Overhead(start_up=0.1)) is None


def test_the_search_ends():
    assert break_even_epochs(1.0, 0.5, 1, Overhead(start_up=MOST_EPOCHS)) is None
