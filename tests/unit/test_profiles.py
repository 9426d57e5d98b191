"""Which trials the quick profile of an upgrade runs."""

from collections.abc import Sequence
from dataclasses import replace

from harness.engine.plan import Asked
from harness.engine.trial import Trial
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import Aggregate, Scenario
from harness.upgrade.profiles import MOST_OF_A_FILE, QUICK, chosen
from harness.workloads import library

SMALL, SMALLER = "short/digits", "short/two_epochs"
LARGE = "digits/ragged"
LONG = "digits/batch_of_one"
MANY = MOST_OF_A_FILE + 2


def asked(pattern: str, workload: str = SMALL, file: str = "pack.file", fault: str = "none") -> Asked:
    scenario = Scenario(
        pattern=pattern, variant="recommended", source="", module=object, workloads=(workload,),
        aggregates=(Aggregate("mean", of=mean_of_outputs, stage="train"),), framework="lightning", hooks=(),
        expects=(), needs="", predictions_from="", trainer={}, locator=file, declared_at="",
    )  # fmt: skip
    return Asked(scenario, workload, fault)


def quick(*every: Asked, every_pattern: bool = False) -> Sequence[Asked]:
    """Those that the profile chooses."""
    workloads = {name: library.build(name, 0) for name in {each.workload for each in every}}
    is_chosen = chosen(QUICK, every, workloads, every_pattern)
    return [each for each in every if is_chosen(_trial(each))]


def _trial(each: Asked) -> Trial:
    return Trial(
        each.scenario.id, each.scenario.locator, "lightning", each.workload, device="cpu", seed=0, fault=each.fault
    )


def test_a_pattern_runs_on_its_smallest_workload():
    small, smaller, large = (asked("document/pattern", workload) for workload in (SMALL, SMALLER, LARGE))
    assert quick(small, smaller, large) == [smaller]


def test_a_few_patterns_of_a_file_are_enough():
    of_one, of_another = ([asked(f"document/{file}{n}", file=file) for n in range(MANY)] for file in ("a", "b"))
    assert quick(*of_one, *of_another) == [*of_one[:MOST_OF_A_FILE], *of_another[:MOST_OF_A_FILE]]


def test_those_on_different_workloads_come_first():
    alike = [asked(f"document/alike{n}") for n in range(MANY)]
    other = asked("document/other", SMALLER)
    assert quick(*alike, other) == [*alike[: MOST_OF_A_FILE - 1], other]


def test_every_pattern_runs_if_that_is_asked_for():
    of_one = [asked(f"document/pattern{n}") for n in range(MANY)]
    ranks, long = asked("ranks/pattern"), asked("document/long", LONG)
    hanging = asked("document/pattern0", fault="loader.hangs")
    every = [*of_one, ranks, long, hanging]
    assert quick(*every, every_pattern=True) == every


def test_what_takes_long_is_left_out():
    assert quick(asked("ranks/pattern"), asked("document/long", LONG), asked("parallel_validation/pattern")) == []


def test_what_another_is_the_same_as_runs_on_its_workload():
    reference = [asked("document/reference", workload, file="a") for workload in (SMALLER, SMALL)]
    same = asked("document/same", file="b")
    same = replace(same, scenario=replace(same.scenario, same_as=reference[0].scenario.id))
    assert quick(*reference, same) == [*reference, same]


def test_a_fault_of_each_family_runs_once():
    faults = [asked("document/pattern", fault=fault) for fault in ("step.exception", "step.nan", "callback.raises")]
    assert quick(*faults) == [faults[0], faults[2]]
