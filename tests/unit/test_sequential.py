"""What paired differences say: decided by hand, and how often it is wrong, by simulation."""

import math
import random

import pytest
from simulated import compared, said

from harness.bench.statistics import Estimate, paired
from harness.upgrade.sequential import (
    FIRED,
    IMPROVED,
    INCONCLUSIVE,
    LOOKS,
    MARGIN,
    MOST_PAIRS,
    QUIET,
    REGRESSED,
    SAME,
    TOO_WIDE,
    Decisions,
    arm_verdict,
    says,
)

NO_NOISE = [0.0001 * (-1) ** index * index for index in range(MOST_PAIRS)]


def decided(differences, arm=None, looks=tuple(LOOKS)):
    """Decisions on scenarios whose differences are given, after so many looks."""
    decisions = Decisions(list(differences))
    for pairs in looks:
        for scenario in decisions.undecided:
            decisions.series[scenario].differences[:] = differences[scenario][:pairs]
        decisions.arm.differences[:] = (arm or NO_NOISE)[:pairs]
        decisions.look(pairs)
    return decisions


def verdicts(differences, **more):
    return {scenario: series.verdict for scenario, series in decided(differences, **more).series.items()}


def about(place, noise=NO_NOISE):
    return [place + each for each in noise]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.021, 1.2, {REGRESSED}),
        (1.019, 1.2, set()),
        (1.021, 1.049, {REGRESSED, SAME}),
        (0.9, 1.049, {SAME}),
        (0.9, 1.051, set()),
        (0.9, 0.979, {IMPROVED, SAME}),
        (0.9, 0.981, {SAME}),
    ],
)
def test_a_verdict_is_said_of_an_interval_that_lies_beyond_its_margin(low, high, expected):
    estimate = Estimate(0.0, math.log(low), math.log(high))
    assert {verdict for verdict in (REGRESSED, IMPROVED, SAME) if says(verdict, estimate)} == expected


@pytest.mark.parametrize(
    ("place", "expected"), [(0.08, REGRESSED), (0.035, REGRESSED), (0.0, SAME), (-0.01, SAME), (-0.08, IMPROVED)]
)
def test_without_noise_one_scenario_is_decided_at_the_first_look(place, expected):
    series = decided({"a": about(place)}).series["a"]
    assert [(look.pairs, look.verdict) for look in series.looks] == [(10, expected)]


@pytest.mark.parametrize(("looks", "expected"), [((10, 20), INCONCLUSIVE), ((10, 20, 40), SAME)])
def test_what_is_slower_by_less_than_the_margin_is_not_the_same_before_the_last_look(looks, expected):
    assert verdicts({"a": about(math.log(1.015))}, looks=looks) == {"a": expected}


def test_ten_pairs_decide_none_of_two_scenarios():
    assert verdicts({"a": about(0.1), "b": about(0.1)}, looks=(10,)) == {"a": INCONCLUSIVE, "b": INCONCLUSIVE}
    assert verdicts({"a": about(0.1), "b": about(0.1)}) == {"a": REGRESSED, "b": REGRESSED}


def test_a_difference_between_the_margins_stays_undecided_where_noise_hides_it():
    noise = [0.02 * (-1) ** index * (1 + index % 7) for index in range(MOST_PAIRS)]
    assert verdicts({"a": about(0.035, noise)}) == {"a": INCONCLUSIVE}


def test_what_is_decided_is_not_looked_at_again():
    decisions = decided({"a": about(0.1), "b": about(0.1), "c": about(0.1)})
    assert [look.pairs for look in decisions.series["a"].looks] == [10, 20]


def just_seen(pairs, level):
    """Differences that are seen to lie beyond the margin at a level, and not at a stricter one."""
    spread = [0.02 * (index + 1) * (-1 if index % 4 == 0 else 1) for index in range(pairs)]
    return [MARGIN + 1e-9 - paired(spread, 1 - 2 * level).low + each for each in spread]


@pytest.mark.parametrize(("other", "expected"), [(-0.1, INCONCLUSIVE), (0.1, REGRESSED)])
def test_what_is_answered_leaves_its_level_to_the_others(other, expected):
    assert verdicts({"a": just_seen(20, LOOKS[20]), "b": about(other)}, looks=(10, 20))["a"] == expected


def test_a_scenario_without_enough_pairs_is_not_asked():
    decisions = Decisions(["a", "b"])
    decisions.series["a"].differences += about(0.1)[:20]
    decisions.series["b"].differences += about(0.1)[:19]
    decisions.arm.differences += NO_NOISE[:20]
    decisions.look(20)
    assert (decisions.series["a"].verdict, decisions.series["b"].looks) == (REGRESSED, [])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.01, 0.01, QUIET),
        (0.0101, 0.02, FIRED),
        (-0.02, -0.0101, FIRED),
        (0.009, 0.02, QUIET),
        (-0.02, -0.009, QUIET),
        (-0.06, 0.05, TOO_WIDE),
        (-math.inf, math.inf, TOO_WIDE),
        (-0.09, 0.001, QUIET),
    ],
)
def test_the_arm(low, high, expected):
    assert arm_verdict(Estimate(0.0, low, high)) == expected


@pytest.mark.parametrize("arm", [about(0.05), [500 * each for each in NO_NOISE]])
def test_nothing_is_decided_while_the_baseline_differs_from_itself_or_may(arm):
    assert verdicts({"a": about(0.1)}, arm=arm) == {"a": INCONCLUSIVE}


RUNS = 300


@pytest.mark.parametrize("noise", [{}, {"sd": 0.05}, {"drift": 0.1}, {"busy": 0.5}])
def test_no_difference_is_hardly_ever_called_one(noise):
    rng = random.Random(1)
    runs = [said(compared(rng, {"a": 0.0, "b": 0.0, "c": 0.0}, **noise)) for _ in range(RUNS)]
    # Each of the two is wrong in at most 1 % of runs; more than 4 standard deviations above that is none.
    most = RUNS * 0.01 + 4 * math.sqrt(RUNS * 0.01 * 0.99)
    assert sum(REGRESSED in run for run in runs) <= most
    assert sum(IMPROVED in run for run in runs) <= most


def test_at_the_margins_too_few_runs_are_wrong():
    rng = random.Random(2)
    at_margins = {"a": math.log(1.02), "b": math.log(1.02), "c": math.log(1.05)}
    runs = [compared(rng, at_margins) for _ in range(RUNS)]
    most = RUNS * 0.01 + 4 * math.sqrt(RUNS * 0.01 * 0.99)
    assert sum(REGRESSED in (run.series["a"].verdict, run.series["b"].verdict) for run in runs) <= most
    assert sum(run.series["c"].verdict == SAME for run in runs) <= most


def test_five_percent_in_two_of_three_scenarios_are_seen_in_19_of_20_runs():
    rng = random.Random(3)
    effects = {"a": 0.0, "b": math.log(1.05), "c": math.log(1.05)}
    runs = [said(compared(rng, effects)) for _ in range(RUNS)]
    assert sum(REGRESSED in run for run in runs) >= RUNS * 19 / 20
