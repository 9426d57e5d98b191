"""The judge finds nothing in a fit that is fine, and in one that is not, what was put there."""

import copy
from dataclasses import replace

import pytest
from verdicts import Verdict, judge


@pytest.fixture(scope="module")
def fine(observer):
    return observer.observe("ours")


def lines(told, what):
    return [line for line in told if line[0] == what]


def validated(told):
    """What the logger was told of epoch 1."""
    return next(line for line in lines(told, "logged") if "val_loss" in line[1] and line[1]["epoch"] == 1)


def figure(told):
    line = validated(told)
    line[1]["val_loss"] += 1e-16


def step(told):
    validated(told)[2] += 1


def logged_twice(told):
    told.append(validated(told))


def never_logged(told):
    told.remove(validated(told))


def outcomes(told):
    return lines(told, "outcomes")[0][1]


def other_weights(told):
    outcomes(told)[1]["digest"] = outcomes(told)[2]["digest"]


def other_metric(told):
    outcomes(told)[1]["metrics"]["val_mean"] = 0.0


def not_ok_and_logged(told):
    outcomes(told)[1]["status"] = "failed"


def no_outcome(told):
    del outcomes(told)[1]


def two_outcomes(told):
    outcomes(told).append(copy.deepcopy(outcomes(told)[1]))


def trained_differently(told):
    lines(told, "trained")[1][2] = ""


def other_train_loss(told):
    next(line[1] for line in lines(told, "logged") if "train_loss" in line[1])["train_loss"] += 1


WRONG = {"wrong": {1}}
PLANTED = {
    figure: WRONG, step: WRONG, logged_twice: WRONG, never_logged: WRONG, other_weights: WRONG, other_metric: WRONG,
    not_ok_and_logged: WRONG, no_outcome: {"unknown": {1}}, two_outcomes: {"several": {1}},
    trained_differently: {"training": {1}}, other_train_loss: {"training": {0}},
}  # fmt: skip


def test_fine(observer, fine):
    assert not judge(fine, observer.reference())


@pytest.mark.parametrize(("change", "found"), PLANTED.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_planted(observer, fine, change, found):
    told = copy.deepcopy(fine.told)
    change(told)
    assert judge(replace(fine, told=told), observer.reference()) == Verdict(**found)


def test_left(observer, fine):
    left = replace(fine, processes=["python"], files=["/dev/shm/sem"])
    assert judge(left, observer.reference()) == Verdict(processes=["python"], files=["/dev/shm/sem"])


def test_hung(observer, fine):
    told = [line for line in fine.told if line[0] != "outcomes"]
    assert judge(replace(fine, status=None, told=told), observer.reference()) == Verdict(unknown={0, 1, 2, 3}, hung=1)


def test_killed_fits_owe_no_outcomes(observer, fine):
    told = [line for line in fine.told if line[0] != "outcomes"]
    assert not judge(replace(fine, status=-9, told=told), observer.reference())
