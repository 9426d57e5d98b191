"""Declarations: what is refused when a scenario or a claim is declared, and not first when it is run or judged."""

import re
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from harness.catalog import find
from harness.engine.trial import ADAPTERS
from harness.errors import ScenarioError
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import DECLARED, FRAMEWORKS, Aggregate, EpochHook, Expect, When, claim, scenario

FIGURE = Aggregate("x", of=mean_of_outputs, stage="train")


@pytest.fixture(autouse=True)
def nothing_declared(monkeypatch):
    monkeypatch.setattr(DECLARED, "scenarios", [])
    monkeypatch.setattr(DECLARED, "claims", [])


def declare(**different):
    usual = {"pattern": "mine/mean", "variant": "recommended", "module": object, "aggregates": [FIGURE]}
    return scenario(**usual | different)


def state(verdict="exact", expects=()):
    return claim("mine", "It is the mean.", source="", holds_when=[When(verdict, "mine/*")], expects=expects)


class TestScenarios:
    @pytest.mark.parametrize(
        ("different", "told"),
        [
            ({"framework": "pytorch"}, "framework 'pytorch' is not one of lightning, keras, torch"),
            (
                {"aggregates": [replace(FIGURE, stage="val")]},
                "aggregate 'x': stage 'val' is not one of train, validation",
            ),
            (
                {"aggregates": [replace(FIGURE, reported_in="console")]},
                "aggregate 'x': reported_in 'console' is not one of logger, callback_metrics, progress_bar",
            ),
            *(
                (
                    {"framework": framework, "aggregates": [replace(FIGURE, reported_in=place)]},
                    f"aggregate 'x': figures of {framework} are read from what the logger is told: "
                    f"leave out reported_in={place!r}",
                )
                for framework in ("keras", "torch")
                for place in ("callback_metrics", "progress_bar")
            ),
            (
                {"aggregates": [replace(FIGURE, needs="lightning>=two")]},
                "needs 'lightning>=two' is not a requirement such as 'pytorch_lightning>=2.0'",
            ),
            (
                {"aggregates": [FIGURE, replace(FIGURE, name="y"), replace(FIGURE, stage="validation")]},
                "2 aggregates are called 'x'; no finding could tell them apart",
            ),
            (
                {"hooks": [EpochHook("on_end", "test")]},
                "hook 'on_end': stage 'test' is not one of train, validation",
            ),
            ({"expects": [Expect("fine")]}, "expected verdict 'fine' is not one of exact, biased, "),
            ({"expects": [Expect("holds")]}, "expected verdict 'holds' is not one of exact, biased, "),
            ({"expects": [Expect("ok", needs="lightning=>2")]}, "needs 'lightning=>2' is not a requirement"),
            ({"needs": "lightning 2.0"}, "needs 'lightning 2.0' is not a requirement"),
            ({"needs": ">=2.0"}, "needs '>=2.0' is not a requirement"),
            ({"needs": "lightning>=2.0,"}, "needs 'lightning>=2.0,' is not a requirement"),
            ({"fit": print, "framework": "torch"}, "a script, fit=, runs in Lightning or Keras, on one rank"),
            ({"fit": print, "ranks": 2}, "a script, fit=, runs in Lightning or Keras, on one rank"),
            ({"fit": print, "resume_from": "last"}, "a script, fit=, runs in Lightning or Keras, on one rank"),
        ],
    )
    def test_what_nothing_could_judge_is_refused(self, different, told):
        with pytest.raises(ScenarioError, match=re.escape(told)):
            declare(**different)
        assert DECLARED.scenarios == []

    @pytest.mark.parametrize(
        ("framework", "argument", "told"),
        [
            *(
                ("lightning", argument, "leave {!r} out of trainer=: the workload's schedule decides that")
                for argument in (
                    "max_epochs", "accumulate_grad_batches", "limit_train_batches", "limit_val_batches",
                    "val_check_interval", "check_val_every_n_epoch",
                )
            ),
            ("lightning", "logger", "leave {!r} out of trainer=: the harness's own logger notes what is told"),
            ("lightning", "devices", "leave {!r} out of trainer=: say it by ranks="),
            ("lightning", "accelerator", "leave {!r} out of trainer=: say it by --device"),
            ("keras", "epochs", "leave {!r} out of trainer=: the workload's schedule decides that"),
            ("keras", "validation_freq", "leave {!r} out of trainer=: the workload's schedule decides that"),
            ("keras", "validation_data", "leave {!r} out of trainer=: the workload's partition decides that"),
            ("keras", "shuffle", "leave {!r} out of trainer=: the workload's partition decides that"),
            ("torch", "epochs", "a loop of torch has no Trainer: leave out trainer="),
        ],
    )  # fmt: skip
    def test_what_is_decided_already_is_refused(self, framework, argument, told):
        with pytest.raises(ScenarioError, match=re.escape(told.format(argument))):
            declare(framework=framework, trainer={"callbacks": [], argument: 1})

    @pytest.mark.parametrize(
        "different",
        [
            {"aggregates": [FIGURE, replace(FIGURE, needs="lightning<2.0")]},
            {"aggregates": [FIGURE, replace(FIGURE, reported_in="progress_bar")]},
            {"trainer": {"gradient_clip_val": 1.0, "callbacks": []}},
            {"trainer": {"verbose": 1}, "framework": "keras"},
            {"framework": "torch"},
            {"framework": "keras", "fit": print},
            {"fit": print, "gpus": 2, "limit_s": 1.0, "same_as": "a/b/recommended"},
            {"needs": "pytorch-lightning >= 2.0, != 2.1.*"},
            {"needs": "torchmetrics~=1.0rc1"},
            {"needs": "lightning"},
        ],
    )
    def test_what_can_be_judged_is_declared(self, different):
        assert DECLARED.scenarios == [declare(**different)]

    def test_every_known_framework_has_an_adapter(self):
        assert set(FRAMEWORKS) == set(ADAPTERS)


class TestClaims:
    @pytest.mark.parametrize(
        ("different", "told"),
        [
            ({"verdict": "fine"}, "claim mine: verdict 'fine' is not one of exact, "),
            ({"expects": [Expect("exact")]}, "expected verdict 'exact' is not one of holds, "),
            ({"expects": [Expect("holds", needs="lightning 2")]}, "needs 'lightning 2' is not a requirement"),
        ],
    )
    def test_what_nothing_could_decide_is_refused(self, different, told):
        with pytest.raises(ScenarioError, match=re.escape(told)):
            state(**different)
        assert DECLARED.claims == []

    def test_a_claim_that_can_be_decided_is_declared(self):
        stated = state(expects=[Expect("refuted", needs="lightning<2.0"), Expect("holds")])
        assert [claim for _, claim in DECLARED.claims] == [stated]


def test_what_a_claim_of_a_document_is_about_is_there(monkeypatch):
    monkeypatch.undo()  # what the documents declare is known only once it is imported
    catalog = find()
    about_nothing = [
        (claim.id, glob)
        for claim in catalog.claims.values()
        for condition in claim.holds_when
        for glob in condition.scenarios
        if not any(fnmatchcase(scenario, glob) for scenario in catalog.scenarios)
        if not any(unreadable.may_hold(glob) for unreadable in catalog.unreadable)
    ]
    assert catalog.claims
    assert about_nothing == []
