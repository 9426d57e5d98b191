"""On how many ranks what can run, and what is said where it cannot."""

from dataclasses import replace

import pytest
from test_plan import catalog, environment, scenario

from harness.engine import placing, plan
from harness.engine.placing import MOST, hindrance
from harness.errors import UsageError
from harness.faults.fault import NONE
from harness.scenario import Record

PLAIN = scenario("a/mean")
DIVIDED = "digits/train=6x2,validation=6x2"


def made(declared, *filters, ranks=()):
    found = {"lightning": environment(), "keras": environment(), "torch": environment()}
    return plan.make(catalog(*declared), filters, "cpu", 0, found, ranks=ranks)


@pytest.mark.parametrize(("text", "numbers"), [("2", (2,)), ("1,2,3", (1, 2, 3)), (" 3, 1,3", (1, 3))])
def test_numbers_of_ranks_are_read_each_once_in_order(text, numbers):
    assert placing.parse(text) == numbers


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1,,2", "2.5", "1,2,", str(MOST + 1), "٣"])
def test_what_is_no_number_of_ranks_is_refused(text):
    with pytest.raises(UsageError, match=r"is no number of ranks: write numbers from 1 to 64, such as 1,2,3"):
        placing.parse(text)


def test_each_scenario_runs_on_each_number_that_is_asked_for():
    trials = made([PLAIN], f"a/*@{DIVIDED}", ranks=(1, 2, 3)).trials
    assert [trial.ranks for trial in trials] == [1, 2, 3]
    assert [trial.id.rsplit("--", 1)[-1] for trial in trials] == ["cpu", "cpux2", "cpux3"]


def test_without_a_number_it_runs_on_as_many_as_it_declares():
    trials = made([PLAIN, scenario("b/mean", ranks=2)], f"*@{DIVIDED}").trials
    assert [trial.ranks for trial in trials] == [1, 2]


@pytest.mark.parametrize(
    ("different", "workload", "why"),
    [
        ({"framework": "torch"}, DIVIDED, "only Lightning and Keras run on other ranks than a scenario declares"),
        ({"framework": "keras"}, "digits/batch_of_one", "digits/batch_of_one has a first batch of 1, for 2 replicas"),
        (
            {"framework": "keras"},
            "digits/train=2x9,validation=8",
            "the first batch of digits/train=2x9,validation=8 has 9 samples; Keras needs as many on each of 2",
        ),
        ({"framework": "keras"}, "digits/train=8,validation=7", "has 7 samples; Keras needs as many on each of 2"),
        ({"framework": "keras"}, "ranks/padded", "replicas of Keras share every batch, whatever a sampler does"),
        ({"framework": "keras", "fit": print}, DIVIDED, "a script of its own runs on one rank"),
        ({"fit": print}, DIVIDED, "a script of its own runs on one rank"),
        ({"data": object}, DIVIDED, "data of a scenario's own are not shared by ranks, so far"),
        ({"record": Record("file", int)}, DIVIDED, "its record and checkpoints are those of the 1 ranks"),
        ({"resume_from": "last.ckpt"}, DIVIDED, "its record and checkpoints are those of the 1 ranks"),
        ({}, "short/resumed", "a training that is stopped and resumed runs on one rank, so far"),
        ({}, "digits/single_batch", "digits/single_batch has 1 train batches, fewer than 2 ranks"),
        ({}, "digits/train=2x8,validation=8", "has 1 validation batches, fewer than 2 ranks"),
        ({}, "adversarial/two_loaders", "adversarial/two_loaders has 1 validation batches, fewer than 2 ranks"),
        ({}, "digits/train=3x8,validation=2x8", "gives ranks 1 and 2 training batches, and DDP waits forever"),
    ],
)
def test_what_cannot_run_on_two_is_said(different, workload, why):
    assert why in hindrance(replace(PLAIN, **different), workload, NONE, 2)
    assert hindrance(replace(PLAIN, **different), DIVIDED, NONE, 1) == ""


def test_replicas_of_keras_share_batches_that_ranks_could_not():
    assert hindrance(replace(PLAIN, framework="keras"), "digits/train=8+1,validation=8+3", NONE, 2) == ""


def test_faults_are_those_of_the_ranks_that_are_declared():
    assert hindrance(PLAIN, DIVIDED, "step.exception", 2) == "its faults are aimed at the 1 ranks that it declares"
    assert hindrance(replace(PLAIN, ranks=2), DIVIDED, "strategy.rank_killed", 2) == ""


@pytest.mark.parametrize("sharing", ["padded", "all"])
def test_what_gives_every_rank_as_much_needs_no_even_batches(sharing):
    assert hindrance(PLAIN, f"digits/train=3x8+1,validation=5,shared={sharing}", NONE, 2) == ""


def test_more_ranks_than_batches_are_bad_usage_if_nothing_else_is_asked_for():
    with pytest.raises(
        UsageError, match=r"more ranks than batches: digits/\S+ has 2 train batches, fewer than 3 ranks"
    ):
        plan.asked(catalog(PLAIN), ["a/*@digits/train=2x8,validation=3x8"], ranks=(3,))


def test_what_can_run_runs_beside_what_cannot():
    planned = made([PLAIN], "a/*@digits/train=2x8,validation=2x8", ranks=(2, 3))
    assert [trial.ranks for trial in planned.trials] == [2]
    assert [each.reason for each in planned.unavailable] == [
        "digits/train=2x8,validation=2x8 has 2 train batches, fewer than 3 ranks"
    ]


def test_what_is_to_be_the_same_is_run_on_as_many():
    twin = scenario("b/mean", same_as="a/mean/recommended")
    trials = made([PLAIN, twin], f"b/*@{DIVIDED}", ranks=(1, 2)).trials
    assert {(trial.scenario, trial.ranks) for trial in trials} == {
        (f"{name}/mean/recommended", ranks) for name in "ab" for ranks in (1, 2)
    }
