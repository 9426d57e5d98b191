"""Which samples are taken, in which order and until when, of environments that are made up."""

import math
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path

import jsonschema
import pytest

from harness.engine.trial import Trial
from harness.errors import HarnessError
from harness.schemas import schema
from harness.upgrade import cost
from harness.upgrade.environments import Provided
from harness.upgrade.measuring import CostComparison, Measuring
from harness.upgrade.sequential import IMPROVED, INCONCLUSIVE, REGRESSED, SAME
from harness.upgrade.sides import BASELINE, CANDIDATE
from harness.upgrade.timing import AGAIN, NotTimedError, Timing, fill

SAMPLE_S = 1.0


def trial(scenario):
    return Trial(scenario, "nowhere", "lightning", "digits/even", "cpu", 0)


class Machine:
    """Samples by what a side's step costs; a clock that only they move."""

    def __init__(self, factors=(), again=1.0, fails="", slow=(), ends=None):
        self.factors = dict(factors)
        self.again = again
        self.fails = fails
        self.slow = dict(slow)
        self.ends = ends  # (after so many samples, how)
        self.taken = []
        self.now = 100.0

    def sample(self, sides, trial):
        return {side: self.one(side, trial) for side in sides}

    def one(self, side, trial):
        if trial.scenario == self.fails and side == CANDIDATE:
            raise NotTimedError("it could not be timed in the candidate: it raises")
        if self.ends and len(self.taken) == self.ends[0]:
            raise self.ends[1]
        self.taken.append((trial.scenario, side))
        self.now += self.slow.get(len(self.taken), SAMPLE_S)
        step = {BASELINE: 1.0, AGAIN: self.again, CANDIDATE: self.factors.get(trial.scenario, 1.0)}[side]
        # A little of its own in each process: the number of samples so far, in a sequence that goes nowhere.
        off = 1 + 0.001 * ((len(self.taken) * 7) % 11 - 5)
        undisturbed = step * off * 0.001
        # The machine is slower for a while; and what interrupts one epoch of the candidate interrupts no other. The
        # baseline has had one turn more.
        for_a_while = [2.0, 2.0, 1.0, 1.0, 1.0]
        interrupted = [1.0, 1.0, 3.0 if side == CANDIDATE else 1.0, 1.0, 1.0]
        epochs = [undisturbed * a * b for a, b in zip(for_a_while, interrupted, strict=True)]
        return epochs[:4] if side == CANDIDATE else epochs

    def fill(self, timing, trials):
        fill(timing, trials, nullcontext(self.sample), lambda _: None, lambda: self.now)

    def compare(self, *scenarios, budget_s=1e6, seed=0):
        trials = list(map(trial, scenarios))
        timing = Timing.of(trials, budget_s, seed)
        self.fill(timing, trials)
        return timing


def verdicts(timing):
    return {timed.scenario: timed.verdict for timed in timing.timed}


def test_what_is_slower_is_told_from_what_is_not():
    machine = Machine({"a": 1.1, "c": 0.9})
    assert verdicts(machine.compare("a", "b", "c")) == {"a": REGRESSED, "b": SAME, "c": IMPROVED}


def test_the_ratio_is_that_of_epochs_next_to_each_other():
    (timed,) = Machine({"a": 1.1}).compare("a").timed
    assert math.exp(timed.estimate.value) == pytest.approx(1.1, rel=0.01)


def test_each_round_goes_over_all_and_gives_one_of_them_a_third_sample():
    machine = Machine()
    machine.compare("a", "b")
    rounds = [machine.taken[start : start + 5] for start in range(0, 100, 5)]
    assert all(Counter(scenario for scenario, _ in each) in ({"a": 2, "b": 3}, {"a": 3, "b": 2}) for each in rounds)
    extra = [next(scenario for scenario, side in each if side == AGAIN) for each in rounds]
    assert extra == ["b", "a"] * 10


def test_the_baseline_is_next_to_what_it_is_compared_with():
    machine = Machine()
    machine.compare("a")
    for start in range(0, len(machine.taken), 3):
        assert [side for _, side in machine.taken[start : start + 3]] in (
            [CANDIDATE, BASELINE, AGAIN],
            [AGAIN, BASELINE, CANDIDATE],
        )


def test_which_comes_first_is_drawn_from_the_seed():
    def order(seed):
        (timed,) = Machine().compare("a", seed=seed).timed
        return [pair.first_came_first for pair in timed.pairs]

    assert order(1) == order(1) != order(2)
    assert set(order(1)) == {True, False}


def test_a_scenario_that_is_decided_is_not_timed_any_more():
    machine = Machine({"a": 1.1, "b": 1.035})
    timing = machine.compare("a", "b")
    pairs = {timed.scenario: len(timed.pairs) for timed in timing.timed}
    assert pairs["a"] == 20


@pytest.mark.parametrize(
    ("budget_s", "samples"), [(0, 0), (0.5, 2), (2.5, 2), (4.5, 2), (5.5, 5), (8, 5), (8.5, 8), (10, 8)]
)
def test_no_pair_is_begun_that_would_not_end_in_time(budget_s, samples):
    machine = Machine()
    timing = machine.compare("a", "b", budget_s=budget_s)
    assert len(machine.taken) == samples
    assert {timed.verdict for timed in timing.timed} == {INCONCLUSIVE}
    assert {timed.reason for timed in timing.timed} == {f"the budget of {budget_s:g} s was over before it was decided"}


def test_a_pair_is_taken_to_last_as_long_as_the_longest_of_its_scenario_did():
    machine = Machine(slow={1: 99.0})
    machine.compare("a", "b", budget_s=252)
    assert [scenario for scenario, _ in machine.taken] == ["a", "a", "b", "b", "b"]


def test_a_baseline_that_differs_from_itself_leaves_everything_undecided_at_once():
    machine = Machine({"a": 1.5}, again=1.1)
    timing = machine.compare("a")
    assert verdicts(timing) == {"a": INCONCLUSIVE}
    assert len(machine.taken) == 30
    assert timing.timed[0].reason == "the machine is too noisy: the baseline differs from itself"


def test_a_process_that_gives_nothing_leaves_its_scenario_out():
    timing = Machine({"b": 1.1}, fails="a").compare("a", "b")
    assert verdicts(timing) == {"a": INCONCLUSIVE, "b": REGRESSED}
    assert timing.timed[0].reason == "it could not be timed in the candidate: it raises"


@pytest.mark.parametrize("machine", [Machine({"a": 1.1}), Machine(fails="a"), Machine(again=1.1)])
@pytest.mark.parametrize("budget_s", [0, 1e6])
def test_what_is_written_is_as_the_schema_says(machine, budget_s):
    written = cost.to_json(None, machine.compare("a", "b", budget_s=budget_s))
    jsonschema.validate(written, schema("upgrade_cost"))
    pairs = [len(each["pairs"]) for each in written["timing"]["scenarios"]]
    assert pairs == [len(timed.pairs) for timed in machine.compare("a", "b", budget_s=budget_s).timed] or machine.fails


def test_nothing_to_time():
    assert Machine().compare().timed == []


ENDS = [(KeyboardInterrupt(), "it was interrupted"), (HarnessError("no engine"), "no engine")]


@pytest.mark.parametrize(("how", "why"), ENDS)
def test_what_was_timed_before_it_ended_is_kept(how, why):
    """The second pair of `b` is not whole."""
    timing, machine = Timing.of([trial("a"), trial("b")], 1e6, 0), Machine(ends=(9, how))
    with pytest.raises(type(how)):
        machine.fill(timing, [trial("a"), trial("b")])
    assert [len(timed.pairs) for timed in timing.timed] == [2, 1]
    assert [timed.reason for timed in timing.timed] == [why, why]
    assert timing.seconds == 9 * SAMPLE_S
    jsonschema.validate(cost.to_json(None, timing), schema("upgrade_cost"))


def test_warm_parents_that_do_not_start_are_told_as_the_reason():
    @contextmanager
    def sampling():
        raise HarnessError("no engine")
        yield

    timing = Timing.of([trial("a")], 1e6, 0)
    with pytest.raises(HarnessError, match="no engine"):
        fill(timing, [trial("a")], sampling(), lambda _: None)
    assert timing.timed[0].reason == "no engine"


@pytest.mark.parametrize(("how", "why"), ENDS)
def test_an_upgrade_has_what_was_timed_before_it_ended(monkeypatch, how, why):
    """`a` is decided at the second look, and `b` is not: its candidate takes twice as long, and half as long."""
    machine = Machine({"a": 1.1}, ends=(101, how))

    def sample(sides, trial):
        samples = machine.sample(sides, trial)
        if trial.scenario == "b":
            factor = 2 ** (-1) ** machine.taken.count(("b", CANDIDATE))
            samples[CANDIDATE] = [each * factor for each in samples[CANDIDATE]]
        return samples

    monkeypatch.setattr("harness.upgrade.timing.sampling", lambda *_, **__: nullcontext(sample))
    side, measured = Provided(Path("python"), "", False, {}), CostComparison()
    with pytest.raises(type(how)):
        Measuring((side, side), (), 0, lambda _: None).time([trial("a"), trial("b")], 1e6, measured)
    assert measured.timed.stopped == why
    assert [each.key.scenario for each in measured.differences] == ["a"]
    assert measured.notes[1].startswith(f"time of a step: b: inconclusive: {why}")
