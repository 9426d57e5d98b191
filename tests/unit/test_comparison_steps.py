"""Steps of two histories side by side: which samples they were given, and how near their predictions are."""

import json
import math

import numpy as np
import pytest
from histories import Operations
from seen_trials import history

from harness.comparison import steps
from harness.history.encoding import encode_array
from harness.oracle.measured import BFLOAT16, FLOAT16, FLOAT32, gamma


def given(*batches, stage="train", epoch=0, step=0):
    """A pass over batches of these samples."""
    told = Operations()
    for number, ids in enumerate(batches):
        told.add("batch", "ok", {"ids": ids, "outputs": None}, stage=stage, epoch=epoch, step=step, batch=number)
    return told


def predicted(*outputs, dtype="float32", label=""):
    """A pass over batches of one sample, with these predictions."""
    told = Operations()
    for number, each in enumerate(outputs):
        array = json.loads(encode_array(np.array(each, dtype), label))
        told.add("batch", "ok", {"ids": (number,), "outputs": array}, stage="train", epoch=0, step=number, batch=number)
    return told


def same(a, b):
    return steps.given_the_same(history(Operations(a)), history(Operations(b)))


def alike(a, b):
    return steps.predicted_alike(history(a), history(b))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (given((0, 1), (2,)), given((2,), (1, 0)), True),
        (given((0, 1), (2,)), given((0, 2), (1,)), True),
        (given((0, 1), (2,)), given((0, 1, 2)), False),
        (given((0, 1), (2,)), given((0, 1), (3,)), False),
        (given((0, 1)), given((0, 1), (0, 1)), False),
        ([*given((0,)), *given((1,), epoch=1)], [*given((1,)), *given((0,), epoch=1)], False),
        (given((0,), stage="train"), [*given((0,)), *given((0,), stage="validation")], False),
    ],
    ids=["batches", "across batches", "sizes", "another", "more", "epochs", "another pass"],
)
def test_passes_that_were_given_the_same_samples(a, b, expected):
    assert same(a, b) == same(b, a) == expected


def test_validations_of_one_epoch_are_passes_of_their_own():
    two = [*given((0, 1), stage="validation", step=1), *given((0, 1), stage="validation", step=2)]
    assert steps.longest_pass(history(Operations(two))) == 2
    assert steps.longest_pass(history(Operations([*given((0, 1), step=1), *given((2,), step=2)]))) == 3
    assert steps.longest_pass(history(Operations())) == 0


@pytest.mark.parametrize(
    ("label", "unit"), [("", FLOAT32), ("float64", FLOAT32), ("bfloat16", BFLOAT16), ("float16", FLOAT16)]
)
def test_the_coarsest_precision_of_predictions(label, unit):
    assert steps.unit_roundoff(history(predicted([1.0], label=label))) == unit
    assert steps.unit_roundoff(history(given((0, 1)))) == FLOAT32


def test_what_rounding_comes_to():
    assert steps.rounding(3, FLOAT32) == 2 * (gamma(8, FLOAT32) + 2 * FLOAT32)


BOUND = steps.rounding(2, FLOAT32)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([[1.0], [8.0]], [[1.0 + 7 * BOUND], [8.0]], True),  # of the largest in the pass
        ([[1.0], [8.0]], [[1.0 + 9 * BOUND], [8.0]], False),
        ([[1.0], [-8.0]], [[1.0], [-8.0 - 7 * BOUND]], True),
        ([[math.nan], [8.0]], [[math.nan], [8.0 + 7 * BOUND]], True),
        ([[math.inf], [8.0]], [[math.inf], [8.0 + 7 * BOUND]], True),
        ([[math.inf], [8.0]], [[-math.inf], [8.0]], False),
        ([[math.nan], [8.0]], [[1.0], [8.0]], False),
        ([[0.0], [0.0]], [[1e-30], [0.0]], False),
        ([[1.0, 2.0]], [[[1.0, 2.0]]], False),
        ([[1.0], [2.0]], [[1.0]], False),
    ],
)
def test_predictions_as_near_as_rounding_leaves_them(a, b, expected):
    a, b = (predicted(*each, dtype="float64", label="float32") for each in (a, b))
    assert alike(a, b) == alike(b, a) == expected


def test_predictions_in_double_precision_are_of_weights_that_were_drawn_in_float32():
    assert alike(predicted([8.0], dtype="float64"), predicted([8.0 + 3 * BOUND], dtype="float64"))


def test_classes_are_the_same_or_not_alike():
    assert alike(predicted([1, 2], dtype="int64"), predicted([1, 2], dtype="int64"))
    assert not alike(predicted([10**9, 2], dtype="int64"), predicted([10**9 + 1, 2], dtype="int64"))


def test_predictions_in_half_precision_are_held_to_its_rounding():
    of = [predicted([each], label="bfloat16") for each in (1.0, 1.0 + 3 * BFLOAT16, 1.0 + 5 * BFLOAT16)]
    assert alike(of[0], of[1])
    assert not alike(of[0], of[2])


def test_where_a_step_shows_no_predictions_there_is_nothing_to_compare():
    assert alike(given((0, 1)), given((0, 1)))
    assert not alike(given((0,)), predicted([1.0]))
