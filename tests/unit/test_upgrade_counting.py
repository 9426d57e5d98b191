"""What is made of counters of two environments, both made up."""

from collections import Counter

import jsonschema
import pytest

from harness.bench.measuring import Measured
from harness.comparison.differences import FASTER, SLOWER
from harness.engine.trial import Trial
from harness.schemas import schema
from harness.upgrade import cost
from harness.upgrade.counting import NOTE, PASSES, CountedDifference, compare
from harness.upgrade.measuring import CostComparison, Measuring


def trial(scenario="a"):
    return Trial(scenario, "nowhere", "lightning", "digits/even", "cpu", 0)


class Side:
    """Counts what it is told: of each step, of the epoch besides its steps, bytes of each batch (`late`: of the
    epoch before) and bytes retained."""

    def __init__(self, calls=1000, end=0, kept=0, late=0, retained=0, drifts=0, fails="", fails_in=PASSES):
        self.calls, self.end, self.kept, self.late, self.retained, self.drifts, self.fails, self.fails_in = (
            calls, end, kept, late, retained, drifts, fails, fails_in,
        )  # fmt: skip
        self.asked = Counter()

    def measure(self, requests):
        for _, measure, batches in requests:
            self.asked[measure] += 1
            yield Measured(None, self.found(measure, batches), self.fails if measure in self.fails_in else "")

    def found(self, measure, batches):
        if measure == "memory":
            names = ("live_bytes", "held_bytes")
            return {
                "before": dict.fromkeys(names, self.late * batches),
                "peak": dict.fromkeys(names, 100 + self.kept * batches),
                "retained": dict.fromkeys(names, self.retained),
            }
        step = {"python_calls": self.calls, "operations": 10, "host_syncs": 0}[measure]
        if measure == "python_calls":
            self.calls += self.drifts
        return {"steps": [step] * (batches - 1), "epoch": step * batches + self.end}


def counted(baseline, candidate):
    return compare([trial()], {"baseline": baseline, "candidate": candidate})


def found(baseline, candidate):
    return {each.figure: each.effect for each in counted(baseline, candidate).differences}


def test_the_same_on_both_sides_is_no_difference_and_is_counted_once():
    baseline = Side()
    assert found(baseline, Side()) == {}
    assert baseline.asked == {"python_calls": 1, "operations": 1, "host_syncs": 1, "memory": 2}


@pytest.mark.parametrize(("calls", "effect"), [(1020, NOTE), (1021, SLOWER), (981, NOTE), (980, FASTER)])
def test_calls_are_only_noted_where_neither_side_has_more_than_two_percent_more(calls, effect):
    parts = ("median step", "common step", "epoch")
    assert found(Side(), Side(calls)) == {f"python_calls, {part}": effect for part in parts}


@pytest.mark.parametrize("counter", ["operations", "host_syncs", "live_bytes", "held_bytes"])
def test_anything_more_of_another_counter_is_slower(counter):
    assert CountedDifference("a", f"{counter}, epoch", 1000, 1001).effect == SLOWER
    assert CountedDifference("a", f"{counter}, epoch", 1000, 999).effect == FASTER


def test_what_an_epoch_costs_besides_its_steps():
    assert found(Side(), Side(end=1)) == dict.fromkeys(
        ("python_calls, epoch", "operations, epoch", "host_syncs, epoch"), SLOWER
    ) | {"python_calls, epoch": NOTE}


@pytest.mark.parametrize("until", ["kept", "late"])
def test_what_is_kept_of_every_batch_grows_with_them(until):
    differences = counted(Side(), Side(**{until: 4})).differences
    assert {(each.figure, each.candidate) for each in differences} == {
        ("live_bytes, at most, for each batch", 4),
        ("held_bytes, at most, for each batch", 4),
    }


def test_what_is_still_there_when_the_epoch_is_over():
    assert found(Side(), Side(retained=8)) == {
        "live_bytes, still there after the epoch": SLOWER,
        "held_bytes, still there after the epoch": SLOWER,
    }


def test_what_differs_from_itself_is_unstable_and_no_difference():
    result = counted(Side(), Side(drifts=500, calls=1500))
    assert result.differences == []
    assert result.unstable == {"a": ["python_calls, common step", "python_calls, epoch", "python_calls, median step"]}


@pytest.mark.parametrize(
    ("baseline", "candidate", "where", "sides"),
    [(Side(), Side(fails="it raises"), "the candidate", ("candidate",)),
     (Side(fails="it raises"), Side(), "the baseline", ("baseline",)),
     (Side(fails="it raises"), Side(fails="it raises"), "either side", ("baseline", "candidate")),
     (Side(), Side(fails="it raises", fails_in=["python_calls"]), "the candidate", ("candidate",))],
)  # fmt: skip
def test_a_process_that_gives_nothing_leaves_its_scenario_out(baseline, candidate, where, sides):
    left_out = counted(baseline, candidate).left_out["a"]
    assert str(left_out) == f"it could not be counted in {where}: it raises"
    assert (left_out.sides, left_out.in_candidate_only) == (sides, sides == ("candidate",))


@pytest.mark.parametrize(
    ("baseline", "candidate", "undecided", "notes"),
    [(Side(), Side(fails="it raises"), 1, 0), (Side(fails="it raises"), Side(), 0, 1),
     (Side(fails="it raises"), Side(fails="it raises"), 0, 1)],
)  # fmt: skip
def test_what_only_the_candidate_cannot_count_is_undecided(monkeypatch, baseline, candidate, undecided, notes):
    monkeypatch.setattr("harness.upgrade.measuring.Measurer", lambda side, *_: side)
    comparison = CostComparison()
    Measuring((), (), 0, lambda _: None).count([trial()], (baseline, candidate), comparison)
    assert (len(comparison.undecided), len(comparison.notes)) == (undecided, notes)
    assert all(str(each) == "a on digits/even: it could not be counted in the candidate: it raises"
               for each in comparison.undecided)  # fmt: skip


def test_what_changed_by_as_much_in_several_scenarios_is_told_once(monkeypatch):
    monkeypatch.setattr("harness.upgrade.measuring.Measurer", lambda side, *_: side)
    comparison = CostComparison()
    trials = [trial(scenario) for scenario in "abc"]
    Measuring((), (), 0, lambda _: None).count(trials, (Side(end=10000), Side(end=10010)), comparison)
    assert comparison.notes == ["python_calls, epoch: 18000 → 18010 in a, and by +10 in 2 more"]


def test_only_what_differs_is_counted_again():
    candidate = Side(2000)
    counted(Side(), candidate)
    assert candidate.asked == {"python_calls": 2, "operations": 1, "host_syncs": 1, "memory": 2}


def test_each_scenario_is_counted_for_itself():
    result = compare([trial("a"), trial("b")], {"baseline": Side(), "candidate": Side(2000)})
    assert {each.scenario for each in result.differences} == {"a", "b"}


@pytest.mark.parametrize("candidate", [Side(), Side(1500, kept=4), Side(1500, drifts=1), Side(fails="it raises")])
def test_what_is_written_is_as_the_schema_says(candidate):
    written = cost.to_json(counted(Side(), candidate), None)
    jsonschema.validate(written, schema("upgrade_cost"))
    assert len(written["counting"]["counted"]) + len(written["counting"]["left_out"]) == 1
