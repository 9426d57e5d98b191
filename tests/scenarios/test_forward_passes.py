"""Predictions of a step are known where its forward pass gave one result, however it is run."""

import pytest


def figure(laboratory, pattern):
    tried = laboratory.run(f"forward_passes/{pattern}/control")
    assert tried.outcome.status == 0, tried.output
    (finding,) = (each for each in tried.findings if each.checker == "aggregate")
    return finding


@pytest.mark.parametrize(
    "pattern",
    [
        "first_of_two", "second_of_two", "keras_first_of_two", "keras_second_of_two", "keras_eagerly",
        "keras_two_at_once",
    ],
)  # fmt: skip
def test_which_of_several_results_counts_is_not_known(laboratory, pattern):
    finding = figure(laboratory, pattern)
    assert finding.verdict == "unknown"
    ran = (
        "the forward pass ran 2 times, with other results, in 12 of 12 steps of validation (first in epoch 0, batch 0)"
    )
    assert finding.message.startswith(ran)


@pytest.mark.parametrize("pattern", ["the_same_twice", "named", "keras_the_same_twice", "compiled", "rearranged"])
def test_one_result_is_judged(laboratory, pattern):
    assert figure(laboratory, pattern).verdict == "exact"
