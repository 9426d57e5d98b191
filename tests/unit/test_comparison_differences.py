"""What a difference is a difference of, however it differs."""

import pytest

from harness.comparison.differences import NUMBER, Difference, Key

KEY = Key("a/mean/recommended", "digits/even", "none", "cpu,ranks=1,float32")


def subject(observable: str, what: str) -> tuple[str, str]:
    return Difference(KEY, NUMBER, observable, what, "1", "2").subject


@pytest.mark.parametrize(
    ("observable", "one", "other"),
    [
        ("logger", "`val_loss` differs", "`val_loss` is told another number of times"),
        ("figure", "`val_loss`: exact → wrong", "`val_loss` moved"),
        ("finding", "hook: on_fit_end: ok → violated", "hook: on_fit_end: ok → silent"),
        ("hooks", "the module's `on_fit_end` no longer runs", "the module's `on_fit_end` runs elsewhere in the order"),
        ("samples", "steps are given other samples", "samples come in another order"),
        ("exceptions", "raises ValueError, and did not", "raises KeyError, and did not"),
    ],
)
def test_it_is_the_same_though_it_differs_otherwise(observable: str, one: str, other: str) -> None:
    assert subject(observable, one) == subject(observable, other)


@pytest.mark.parametrize(
    ("what", "aspect"),
    [
        ("`val_loss` differs", ""),
        ("`val_loss` is told another number of times", ""),
        ("`val_loss` is no longer there", "presence"),
        ("`val_loss` is new", "presence"),
        ("`val_loss`: exact → wrong", "verdict"),
    ],
)
def test_its_value_may_vary_where_another_aspect_does_not(what: str, aspect: str) -> None:
    assert Difference(KEY, NUMBER, "logger", what, "1", "2").aspect == aspect


def test_weights_and_predictions_differ_together() -> None:
    assert subject("weights", "weights differ") == subject("predictions", "predictions and weights differ")


@pytest.mark.parametrize(
    ("observable", "one", "other"),
    [
        ("logger", "`val_loss` differs", "`val_acc` differs"),
        ("finding", "hook: on_fit_end: ok → violated", "hook: on_fit_start: ok → violated"),
        ("finding", "hook: on_fit_end: ok → violated", "cell: on_fit_end: ok → violated"),
        ("warnings", "warned: UserWarning: few workers", "warned: UserWarning: no logger"),
        ("cost", "Python calls in an epoch's steps (train)", "bytes that the module holds (train)"),
    ],
)
def test_it_is_another_if_something_else_differs(observable: str, one: str, other: str) -> None:
    assert subject(observable, one) != subject(observable, other)


def test_what_another_observable_shows_is_another() -> None:
    assert subject("logger", "`val_loss` differs") != subject("callback_metrics", "`val_loss` differs")
