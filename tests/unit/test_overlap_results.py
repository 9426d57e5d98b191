"""What is concluded from trainings side by side."""

import math

import pytest
from overlaps import LOSSES, cell, overlap, persistent, sequential, without

from harness.bench.overlap_claims import FEWEST, decide
from harness.bench.overlap_results import (
    DOCUMENTED,
    FLOOR,
    PERSISTENT,
    REFERENCE,
    RESOLUTION,
    UNIT,
    Sample,
    agreement,
    free_cores,
    spread,
)


def only(measured, scenario=PERSISTENT):
    (round_,) = measured.rounds(scenario)
    return round_


def numbers(measured, scenario=PERSISTENT):
    return measured.row(scenario)["numbers"]


def hook(name, epoch, seconds):
    return {"hook": name, "epoch": epoch, "seconds": seconds}


def figures(losses, step=9):
    return [{"epoch": epoch, "step": 10 * epoch + step, "val_loss": loss} for epoch, loss in enumerate(losses)]


def test_the_ideal_schedule_has_an_efficiency_of_one():
    assert only(cell()).ideal_s(1) == 4.5
    assert only(cell()).efficiency == 1
    assert only(cell()).speed_up == only(cell()).bound == 6 / 4.5


def test_as_slow_as_sequential_validation_has_none():
    assert only(cell(persistent=persistent(6.0))).efficiency == 0


def test_slower_than_sequential_validation_has_a_negative_one():
    assert only(cell(persistent=persistent(7.5))).efficiency == -1


def test_the_end_of_a_training_without_validation_is_no_overlap():
    slow_end = cell(without=without(wall_s=4.25), sequential=sequential(wall_s=6.25))
    assert only(slow_end).ideal_s(1) == 4.75


def test_there_is_no_efficiency_where_there_is_nothing_to_gain():
    assert only(cell(sequential=sequential(wall_s=4.0))).efficiency is None


def test_every_thread_that_validated_is_a_worker():
    passes = persistent()["validation"]
    two = [each | {"worker": number % 2} for number, each in enumerate(passes)]
    assert only(cell(persistent=persistent(validation=two))).workers == 2


def test_where_validation_computes_a_worker_needs_a_core():
    passes = [each | {"worker": number} for number, each in enumerate(persistent()["validation"])]
    computes = cell(persistent=persistent(validation=passes))
    computes.kind = "real"
    assert only(computes).workers == 1


def test_hooks_are_told_apart_by_when_they_run():
    hooks = [
        hook("setup", -1, 0.25), hook("on_train_epoch_end", 0, 0.5),
        *(hook("on_train_epoch_end", epoch, 0.125) for epoch in (1, 2, 3)), hook("on_train_end", 3, 7.0),
    ]  # fmt: skip
    sample = Sample(1, persistent(hooks=hooks))
    assert sample.hand_off_s == 0.125
    assert sample.start_up_s == 0.25 + 0.5 - 0.125


def test_one_epoch_has_no_hand_off_that_is_warm():
    one = Sample(1, persistent(train=[[0.0, 1.0]]))
    assert one.hand_off_s is None
    assert one.start_up_s is None


def test_tear_down_begins_when_the_last_batch_is_validated():
    assert Sample(1, persistent(wall_s=4.75)).tear_down_s == 0.25


def test_tear_down_begins_when_training_is_over_if_validation_was_before():
    assert Sample(1, without(wall_s=4.75)).tear_down_s == 0.75


def test_latency_leaves_out_waiting_for_a_busy_worker():
    passes = [
        {"epoch": epoch, "whole": True, "worker": 0, "start_s": 1.25 + 3 * epoch, "end_s": 4.0 + 3 * epoch}
        for epoch in range(4)
    ]
    assert Sample(1, persistent(validation=passes)).latency_s == 0.25


def test_the_measured_break_even_is_where_figures_are_there_first():
    # In sequence at 1.5, 3, 4.5 and 6; here at 2.5, 3.5, 4.25 and 5.25.
    passes = [
        {"epoch": epoch, "whole": True, "worker": 0, "start_s": end - 0.5, "end_s": end}
        for epoch, end in enumerate((2.5, 3.5, 4.25, 5.25))
    ]
    assert only(cell(persistent=persistent(validation=passes))).break_even_epochs == 3


def test_it_never_breaks_even_if_the_last_figure_comes_later():
    passes = persistent()["validation"][:3]
    assert only(cell(persistent=persistent(validation=passes))).break_even_epochs is None


def test_the_same_bits_at_the_same_places_agree():
    assert agreement(Sample(1, persistent()), Sample(1, sequential()), 5) == ("bitwise", "")


def test_other_steps_are_told():
    told = persistent(figures=figures(LOSSES, step=0))
    assert agreement(Sample(1, told), Sample(1, sequential()), 5)[0] == "bitwise, at other steps"


@pytest.mark.parametrize(("share", "agrees"), [(7.5, True), (8.5, False)])
def test_an_average_of_ones_own_may_differ_by_what_float32_rounds(share, agrees):
    # Of five batches: (5 + 3) u.
    told = persistent(figures=figures([loss * (1 + share * UNIT) for loss in LOSSES]))
    how, why = agreement(Sample(1, told), Sample(1, sequential()), 5)
    assert (how, bool(why)) == ("but for rounding" if agrees else "", not agrees)


def test_a_missing_figure_does_not_agree():
    how, why = agreement(Sample(1, persistent(figures=figures(LOSSES[:3]))), Sample(1, sequential()), 5)
    assert (how, why) == ("", "it reports 3 figures, and sequential validation 4")


def test_the_epoch_in_which_weights_differ_is_named():
    told = persistent(weights=["a", "b", "x", "d"])
    assert agreement(Sample(1, told), Sample(1, sequential()), 5) == ("", "its weights differ in epoch 2")


def test_what_does_not_agree_has_no_numbers():
    row = cell(persistent=persistent(figures=figures([3.0, 1.5, 1.25, 1.0]))).row(PERSISTENT)
    assert row["numbers"] is None
    assert row["rounds"] == []
    assert "not sequential validation's" in row["reason"]


def test_without_validation_only_the_weights_must_agree():
    assert cell().row(FLOOR)["agreement"] == "weights bitwise"


def test_a_round_without_its_reference_does_not_count():
    measured = cell(rounds=2)
    del measured.samples[REFERENCE][0]
    assert [each.sample.round for each in measured.rounds(PERSISTENT)] == [2]


def test_what_others_used_leaves_fewer_cores():
    assert free_cores(Sample(1, persistent(wall_s=4.0, busy_s=3.0))) == 1.5


@pytest.mark.parametrize(("share", "disturbed"), [(0.99, False), (1.01, True)])
def test_a_round_is_disturbed_if_others_can_have_moved_its_efficiency(share, disturbed):
    # 1.5 s could be saved.
    busy = 1.0 + share * RESOLUTION * 1.5
    assert only(cell(persistent=persistent(busy_s=busy))).disturbed == disturbed
    assert only(cell(sequential=sequential(busy_s=busy))).disturbed == disturbed


def test_whoever_hardly_works_is_hardly_delayed():
    assert not only(cell(persistent=persistent(cpu_s=0.01, busy_s=2.0))).disturbed


def test_the_document_s_hand_off_is_compared_round_by_round():
    slow, fast = ([hook("on_train_epoch_end", epoch, took) for epoch in range(4)] for took in (0.5, 0.125))
    measured = cell(documented=persistent(hooks=slow), persistent=persistent(hooks=fast))
    assert measured.to_json()["hand_off_ratio"] == {"median": 4.0, "low": 4.0, "high": 4.0}


def test_one_value_is_its_own_quartile():
    assert spread([2.0]) == {"median": 2.0, "low": 2.0, "high": 2.0}
    assert spread([None]) is None


def test_quartiles_lie_between_the_values():
    assert spread([1.0, 2.0, 3.0]) == {"median": 2.0, "low": 1.5, "high": 2.5}


def verdicts(*cells):
    return {claim["claim"].partition(".")[2]: claim["verdict"] for claim in decide([each.to_json() for each in cells])}


def test_enough_rounds_decide():
    found = verdicts(cell(rounds=FEWEST, documented=persistent(7.5)))
    assert found["sequential-limits-throughput"] == "holds"
    assert found["overhead-is-negligible"] == "refuted"


def test_too_few_do_not():
    measured = cell(rounds=FEWEST - 1)
    assert verdicts(measured)["sequential-limits-throughput"] == "undecided"


def test_disturbed_rounds_decide_nothing():
    assert (
        verdicts(cell(rounds=FEWEST, persistent=persistent(busy_s=3.0)))["sequential-limits-throughput"] == "undecided"
    )


def test_values_on_both_sides_decide_nothing():
    measured = cell(rounds=FEWEST)
    measured.samples[PERSISTENT][0] = Sample(1, persistent(6.5))
    (claim, *_) = decide([measured.to_json()])
    assert claim["verdict"] == "undecided"
    assert "both sides" in claim["why"]


def test_no_speed_up_refutes():
    assert verdicts(cell(rounds=FEWEST, persistent=persistent(6.5)))["sequential-limits-throughput"] == "refuted"


def test_two_loads_of_two_minds_hold_in_part():
    other = cell(rounds=FEWEST, persistent=persistent(6.5))
    other.kind = "real"
    assert verdicts(cell(rounds=FEWEST), other)["sequential-limits-throughput"] == "holds in part"


def test_a_benefit_that_grows_and_falls_again_holds_in_part():
    cells = [cell(rounds=FEWEST, persistent=persistent(wall)) for wall in (5.0, 4.5, 5.0)]
    for ratio, each in zip((0.5, 1.0, 2.0), cells, strict=True):
        each.ratio = ratio
    assert verdicts(*cells)["benefit-grows-with-the-weight-of-validation"] == "holds in part"
    assert verdicts(*cells[:2])["benefit-grows-with-the-weight-of-validation"] == "holds"


def test_so_many_values_are_needed_that_chance_is_rarer_than_one_in_twenty():
    assert math.ldexp(1, 1 - FEWEST) <= 0.05 < math.ldexp(1, 2 - FEWEST)


def test_the_exit_code_asks_for_something_besides_what_it_is_compared_with():
    assert overlap().exit_code == 0
    alone = cell()
    del alone.samples[PERSISTENT]
    assert overlap(alone).exit_code == 3


@pytest.mark.parametrize(
    "changes", [{"interrupted": True}, {"missing": {PERSISTENT}}, {"left_out": {REFERENCE: "it raises"}}]
)
def test_the_exit_code_tells_what_is_missing(changes):
    assert overlap(**changes).exit_code == 3


def test_a_strategy_that_is_known_to_fail_is_no_failure_of_the_measurement():
    assert overlap(left_out={DOCUMENTED: "it raises"}).exit_code == 0
