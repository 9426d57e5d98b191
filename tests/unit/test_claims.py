"""Claims: what decides them, and when nothing does."""

import math
from dataclasses import replace

import pytest

from harness.claims import decide
from harness.environment import Environment
from harness.faults.fault import NONE
from harness.findings import EpochVerdict, Finding
from harness.scenario import Claim, Differ, Expect, Fewer, When

ENVIRONMENT = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": "2.6.6"}})
EVEN, RAGGED = "digits/even", "digits/ragged"
EXACT = When("exact", "mine/recommended", checker="aggregate")
FEWER = Fewer("host_syncs", "mine/recommended", than="mine/as_documented")
DIFFER = Differ("loss", "mine/recommended", than="mine/as_documented")


def claim(*conditions, expects=()) -> Claim:
    return Claim("mine.claim", "It is so.", "a page", conditions, tuple(expects))


def finding(verdict, workload=EVEN, scenario="mine/recommended", aggregate="loss", **more) -> Finding:
    return Finding(
        trial=f"{scenario}@{workload}", scenario=scenario, workload=workload, fault=NONE, placement="cpu",
        checker="aggregate", aggregate=aggregate, verdict=verdict, expected_verdict="exact", as_expected=True, **more,
    )  # fmt: skip


def decided(claim, findings=(), tallies=None, possible=()):
    """By default every trial that has findings was counted, and no other was possible."""
    if tallies is None:
        tallies = {(each.scenario, each.workload, each.fault): {} for each in findings}
    return decide(claim, findings, tallies, ENVIRONMENT, possible)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["exact", "exact"], "holds"),
        (["exact", "biased"], "holds in part"),
        (["biased", "wrong"], "refuted"),
        ([], "undecided"),
    ],
)
def test_findings_decide(verdicts, expected):
    findings = [finding(verdict, workload) for verdict, workload in zip(verdicts, (EVEN, RAGGED), strict=False)]
    assert decided(claim(EXACT), findings).verdict == expected


def test_every_condition_must_be_met():
    other = When("exact", "mine/recommended", aggregate="accuracy")
    findings = [finding("exact"), finding("wrong", aggregate="accuracy")]
    assert decided(claim(EXACT, other), findings).verdict == "refuted"


def test_a_condition_that_nothing_bears_on_leaves_the_claim_undecided():
    elsewhere = When("exact", "other/*")
    assert decided(claim(EXACT, elsewhere), [finding("exact")]).verdict == "undecided"


@pytest.mark.parametrize(
    "other",
    [
        finding("wrong", scenario="mine/as_documented"),
        finding("wrong", workload=RAGGED),
        finding("wrong", aggregate="accuracy"),
        replace(finding("wrong"), checker="hook"),
    ],
)
def test_findings_that_are_not_selected_do_not_count(other):
    only = When("exact", "mine/recommended", aggregate="loss", checker="aggregate", workload=EVEN)
    assert decided(claim(only), [finding("exact"), other]).verdict == "holds"


def test_what_could_not_be_judged_leaves_the_claim_undecided():
    assert decided(claim(EXACT), [finding("exact"), finding("unknown")]).verdict == "undecided"


def test_a_trial_that_could_run_and_did_not_leaves_the_claim_undecided():
    possible = [("mine/recommended", EVEN, NONE), ("mine/recommended", RAGGED, NONE)]
    assert decided(claim(EXACT), [finding("exact")], possible=possible).verdict == "undecided"


def test_a_trial_that_does_not_bear_on_the_claim_need_not_run():
    possible = [("mine/recommended", EVEN, NONE), ("other/recommended", EVEN, NONE)]
    assert decided(claim(EXACT), [finding("exact")], possible=possible).verdict == "holds"


UNDER_FAULT = replace(finding("wrong"), fault="step.exception")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(NONE, "holds"), ("step.*", "refuted"), ("*", "holds in part"), ("loader.*", "undecided")],
)
def test_a_claim_is_about_the_faults_that_it_names(fault, expected):
    assert decided(claim(replace(EXACT, fault=fault)), [finding("exact"), UNDER_FAULT]).verdict == expected


@pytest.mark.parametrize(("fault", "expected"), [(NONE, "holds"), ("step.*", "undecided")])
def test_a_trial_under_a_fault_bears_on_claims_about_that(fault, expected):
    findings = [finding("exact"), replace(UNDER_FAULT, verdict="exact")]
    possible = [("mine/recommended", EVEN, each) for each in (NONE, "step.exception", "step.nan_loss")]
    assert decided(claim(replace(EXACT, fault=fault)), findings, possible=possible).verdict == expected


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"), [(1, 2, "holds"), (2, 2, "refuted"), (3, 2, "refuted"), (0, 1, "holds")]
)
def test_counters_decide(mine, theirs, expected):
    tallies = {
        ("mine/recommended", EVEN, NONE): {"host_syncs": mine},
        ("mine/as_documented", EVEN, NONE): {"host_syncs": theirs},
    }
    assert decided(claim(FEWER), tallies=tallies).verdict == expected


def test_counters_are_compared_on_each_workload():
    tallies = {
        ("mine/recommended", EVEN, NONE): {"host_syncs": 1},
        ("mine/as_documented", EVEN, NONE): {"host_syncs": 2},
        ("mine/recommended", RAGGED, NONE): {"host_syncs": 2},
        ("mine/as_documented", RAGGED, NONE): {"host_syncs": 1},
    }
    decision = decided(claim(FEWER), tallies=tallies)
    (condition,) = decision.conditions
    assert (decision.verdict, condition["met_on"], condition["not_met_on"]) == ("holds in part", [EVEN], [RAGGED])


def test_counters_on_other_workloads_do_not_count():
    tallies = {
        ("mine/recommended", EVEN, NONE): {"host_syncs": 1},
        ("mine/as_documented", EVEN, NONE): {"host_syncs": 2},
        ("mine/recommended", RAGGED, NONE): {"host_syncs": 2},
        ("mine/as_documented", RAGGED, NONE): {"host_syncs": 2},
    }
    assert decided(claim(replace(FEWER, workload=EVEN)), tallies=tallies).verdict == "holds"


def test_a_counter_that_was_not_counted_leaves_the_claim_undecided():
    tallies = {("mine/recommended", EVEN, NONE): {"host_syncs": 1}, ("mine/as_documented", EVEN, NONE): {}}
    assert decided(claim(FEWER), tallies=tallies).verdict == "undecided"


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [((0.5, 0.25), "refuted"), ((0.5, 0.25 + 2**-54), "holds"), ((0.5, None), "holds"), ((None, None), "undecided"),
     ((0.5, 0.25, 0.125), "holds"), ((0.5,), "holds"), ((0.5, math.nan), "holds")],
)  # fmt: skip
def test_figures_that_differ_in_the_last_bit_decide(theirs, expected):
    findings = [
        finding("exact", scenario=f"mine/{variant}", per_epoch=tuple(
            EpochVerdict(epoch, "exact", observed) for epoch, observed in enumerate(figures)
        ))
        for variant, figures in (("recommended", (0.5, 0.25)), ("as_documented", theirs))
    ]  # fmt: skip
    assert decided(claim(DIFFER), findings).verdict == expected


def test_what_is_no_number_is_like_what_is_none():
    findings = [
        finding("exact", scenario=f"mine/{variant}", per_epoch=(EpochVerdict(0, "exact", math.nan),))
        for variant in ("recommended", "as_documented")
    ]
    assert decided(claim(DIFFER), findings).verdict == "refuted"


FIGURES = [
    finding("exact", workload, f"mine/{variant}", per_epoch=(EpochVerdict(0, "exact", figure),))
    for variant, workload, figure in (
        ("recommended", EVEN, 0.5), ("as_documented", EVEN, 0.25),
        ("recommended", RAGGED, 0.5), ("as_documented", RAGGED, 0.5),
    )
]  # fmt: skip


def test_figures_are_compared_on_each_workload():
    decision = decided(claim(DIFFER), FIGURES)
    (condition,) = decision.conditions
    assert (decision.verdict, condition["met_on"], condition["not_met_on"]) == ("holds in part", [EVEN], [RAGGED])


def test_figures_on_other_workloads_do_not_count():
    assert decided(claim(replace(DIFFER, workload=EVEN)), FIGURES).verdict == "holds"


@pytest.mark.parametrize("other", [{"aggregate": "accuracy"}, {"checker": "hook"}, {"scenario": "other/recommended"}])
def test_figures_that_are_not_asked_for_do_not_count(other):
    same = (EpochVerdict(0, "exact", 0.25),)
    unlike = replace(FIGURES[0], per_epoch=same, **other)
    assert decided(claim(replace(DIFFER, workload=EVEN)), [*FIGURES, unlike]).verdict == "holds"


@pytest.mark.parametrize(
    ("expects", "as_expected"),
    [
        ([], False),
        ([Expect("refuted")], True),
        ([Expect("refuted", needs="pytorch_lightning>=2.0")], True),
        ([Expect("refuted", needs="pytorch_lightning<2.0")], False),
        ([Expect("holds", needs="pytorch_lightning>=2.0"), Expect("refuted")], False),
    ],
)
def test_the_verdict_is_held_against_what_is_expected_of_this_version(expects, as_expected):
    assert decided(claim(EXACT, expects=expects), [finding("wrong")]).as_expected is as_expected


def test_undecided_is_as_expected_whatever_is_expected():
    assert decided(claim(EXACT, expects=[Expect("refuted")])).as_expected


def test_the_numbers_stand_beside_the_verdict():
    findings = [
        finding("biased", RAGGED, observed=1.5, truth=1.0),
        finding("exact", EVEN, observed=1.0, truth=1.0),
    ]
    (condition,) = decided(claim(EXACT), findings).to_json()["conditions"]
    assert condition["numbers"] == {"verdicts": {"biased": 1, "exact": 1}, "largest_bias": 0.5}


def test_trials_that_differ_in_the_fault_only_are_told_apart():
    under = replace(EXACT, fault="*")
    findings = [finding("exact"), replace(finding("wrong"), fault="step.exception")]
    (condition,) = decided(claim(under), findings).conditions
    assert condition["met_on"] == [EVEN]
    assert condition["not_met_on"] == [f"{EVEN} under step.exception"]
