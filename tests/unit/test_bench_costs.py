import json
import math

import jsonschema
import pytest

from harness.bench import strategies
from harness.bench.costs import COUNTERS, MEMORY, Compared, Cost, Counter, Memory, Pair, growth
from harness.bench.measuring import Measured
from harness.bench.strategies import LOGGED, Bench, Request
from harness.bench.table import remarks, tables, write
from harness.engine.trial import Trial
from harness.errors import HarnessError
from harness.schemas import schema

BARE = strategies.BARE["lightning"]


def memory(batches, peak):
    return Memory(batches, dict.fromkeys(MEMORY, peak), dict.fromkeys(MEMORY, 0), 2**20)


def pairs(ratios):
    return [Pair([0.001], [0.001 * ratio], True) for ratio in ratios]


def cost(scenario, ratios=(), count=100, peaks=(10, 10, 10), framework="lightning"):
    return Cost(
        scenario,
        framework,
        dict.fromkeys(COUNTERS, Counter(count, count, 10 * count)),
        [memory(batches, peak) for batches, peak in zip((1, 2, 4), peaks, strict=True)],
        pairs=pairs(ratios),
    )


QUIET = [1 + 0.001 * offset for offset in (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)]


def bench(*costs, **more):
    return Bench(Request(), "Python 3.11", {each.scenario: each for each in costs}, **more)


def three():
    return bench(
        cost(BARE, QUIET),
        cost(LOGGED, [1.2 * ratio for ratio in QUIET], count=150),
        cost("mine/list/migrated", [1.1 * ratio for ratio in QUIET], count=103, peaks=(14, 18, 26)),
    )


def test_a_counter_tells_the_median_and_the_most_common_step():
    assert Counter.of([3, 3, 9, 4, 5], 30) == Counter(4, 3, 30)


def test_what_cannot_be_counted_has_no_difference():
    assert Counter(4, 3, None).over(Counter(1, 1, 10)) == Counter(3, 2, None)
    assert Counter.of([], None).over(Counter(1, 1, 10)) == Counter(None, None, None)


def in_keras(scenario, **more):
    return cost(scenario, framework="keras", **more)


def two_frameworks():
    keras = in_keras("mine/keras/migrated", count=1002)
    keras.counters["operations"] = Counter(7.5, 7.5, None)
    return bench(cost(BARE), cost(LOGGED), in_keras(strategies.BARE["keras"], count=1000), keras)


def test_a_scenario_is_compared_with_the_bare_loop_of_its_framework():
    *_, mine = two_frameworks().compared
    assert mine.bare.scenario == strategies.BARE["keras"]
    assert mine.counters["python_calls"] == Counter(2, 2, 20)
    assert mine.logged is None


def test_every_framework_has_its_tables():
    titles = [table.title.split(":")[0] for table in tables(two_frameworks())]
    assert titles == ["lightning"] * 3 + ["keras"] * 3


def test_what_cannot_be_counted_is_null_and_a_dash(tmp_path):
    write(two_frameworks(), tmp_path)
    written = json.loads((tmp_path / "bench.json").read_text())
    jsonschema.validate(written, schema("bench"))
    assert written["costs"][-1]["counters"]["operations"]["epoch"] is None
    (row,) = [
        line for line in (tmp_path / "bench.md").read_text().splitlines() if "mine/keras" in line and "992" in line
    ]
    assert "| -992.5 | – |" in row


def test_a_framework_without_its_bare_loop_is_not_compared():
    assert bench(in_keras("mine/keras/migrated")).compared == []


def test_what_others_are_compared_with_must_be_measured():
    trials = [Trial(BARE, "", "lightning", "digits/even", "cpu", 0)]
    with pytest.raises(HarnessError, match=f"{BARE}, with which the others are compared: .* it raises Oops"):
        strategies._count(Bench(Request()), trials, Failing(), lambda _: None)


class Failing:
    """Measures nothing."""

    def measure(self, requests):
        yield from (Measured(None, {}, "it raises Oops") for _ in requests)


def test_costs_are_differences_to_the_bare_loop():
    mine = three().compared[2]
    assert mine.counters == dict.fromkeys(COUNTERS, Counter(3, 3, 30))
    assert [each.peak["live_bytes"] for each in mine.memory] == [4, 8, 16]
    assert mine.grows == dict.fromkeys(MEMORY, 4)


def test_growth_that_is_not_the_same_everywhere_has_no_figure():
    assert growth([memory(1, 0), memory(2, 1), memory(4, 4)], "objects") is None


def test_time_is_a_ratio_and_a_share_of_what_a_log_costs():
    mine = three().compared[2]
    assert mine.ratio[0] == pytest.approx(1.1, rel=1e-4)
    assert mine.ratio[1] < 1.1 < mine.ratio[2]
    assert mine.extra_s == pytest.approx(0.0001, rel=1e-2)
    assert mine.share_of_log == pytest.approx(0.5, rel=1e-2)


def test_there_is_no_share_of_a_log_that_cannot_be_told_from_nothing():
    assert Compared(cost("a/b/c", QUIET), cost(BARE, QUIET), cost(LOGGED, QUIET)).share_of_log is None


@pytest.mark.parametrize(
    ("ratios", "noisy"),
    [
        (QUIET, False),
        ([1.001 * math.exp(0.0001 * offset) for offset in range(10)], True),  # a difference where there is none
        ([math.exp(0.02 * offset) for offset in range(-5, 6)], True),  # 5 % would be hidden
        ([1.3] * 3, False),  # too few to say
    ],
)
def test_the_bare_loop_against_itself_tells_how_noisy_the_machine_is(ratios, noisy):
    found = bench(cost(BARE, ratios))
    assert found.too_noisy == (["lightning"] if noisy else [])
    assert any(remark.startswith("too noisy") for remark in remarks(found)) is noisy


def test_what_is_written_follows_the_schema(tmp_path):
    found = three()
    found.left_out["mine/other/migrated"] = "it raises *"
    found.costs["mine/list/migrated"].unstable.append("python_calls")
    write(found, tmp_path)
    written = json.loads((tmp_path / "bench.json").read_text())
    jsonschema.validate(written, schema("bench"))
    assert [each["scenario"] for each in written["costs"]] == [BARE, LOGGED, "mine/list/migrated"]
    text = (tmp_path / "bench.md").read_text()
    assert "+4 bytes a batch" in text
    assert "not the same in two processes: python_calls of mine/list/migrated" in text


def test_limits_that_are_not_there_are_null(tmp_path):
    write(bench(cost(BARE, [1.0]), cost(LOGGED)), tmp_path)
    written = json.loads((tmp_path / "bench.json").read_text())
    jsonschema.validate(written, schema("bench"))
    assert written["costs"][0]["time"]["low"] is None
    assert written["costs"][0]["time"]["high"] is None
    assert written["costs"][1]["time"] is None


def test_too_few_pairs_are_told():
    assert "no intervals: 99 % need 8 pairs, and there are 2" in remarks(bench(cost(BARE, [1.0, 1.1])))


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (three(), 0),
        (bench(), 3),
        (bench(cost(BARE)), 3),
        (bench(cost(BARE), cost(LOGGED), interrupted=True), 3),
    ],
)
def test_exit_codes(found, code):
    assert found.exit_code == code


def test_nothing_measured_makes_no_table():
    assert tables(bench()) == []
    assert "nothing was measured, so nothing is decided" in remarks(bench())
