"""Which trials the quick profile of an upgrade runs."""

from collections.abc import Sequence

from harness.engine.plan import Asked
from harness.engine.trial import Trial
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import Aggregate, Scenario
from harness.upgrade.profiles import MOST_OF_A_FILE, QUICK, chosen
from harness.workloads import library

SMALL, SMALLER = "short/digits", "short/two_epochs"
LARGE = "digits/ragged"
MANY = MOST_OF_A_FILE + 2


def asked(pattern: str, workload: str = SMALL, file: str = "pack.file", fault: str = "none") -> Asked:
    scenario = Scenario(
        pattern=pattern, variant="recommended", source="", module=object, workloads=(workload,),
        aggregates=(Aggregate("mean", of=mean_of_outputs, stage="train"),), framework="lightning", hooks=(),
        expects=(), needs="", predictions_from="", trainer={}, locator=file, declared_at="",
    )  # fmt: skip
    return Asked(scenario, workload, fault)


def quick(*every: Asked, named: bool = False) -> Sequence[Asked]:
    """Those that the profile chooses."""
    workloads = {name: library.build(name, 0) for name in {each.workload for each in every}}
    is_chosen = chosen(QUICK, every, workloads, named)
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


def test_of_what_is_named_every_pattern_runs():
    of_one = [asked(f"document/pattern{n}") for n in range(MANY)]
    ranks = asked("ranks/pattern")
    assert quick(*of_one, ranks, named=True) == [*of_one, ranks]


def test_long_documents_are_left_out():
    assert quick(asked("ranks/pattern"), asked("parallel_validation/pattern", file="b")) == []


def test_a_fault_of_each_family_runs_once():
    faults = [asked("document/pattern", fault=fault) for fault in ("step.exception", "step.nan", "callback.raises")]
    assert quick(*faults) == [faults[0], faults[2]]
