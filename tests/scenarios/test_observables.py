"""What a user notices of a training besides hooks and figures stands in its history: one trial that has it all."""

import jsonschema
import pytest

from harness.schemas import schema

EPOCHS = 3


@pytest.fixture(scope="module")
def tried(laboratory):
    return laboratory.run("observed/everything/control@short/digits")


@pytest.fixture(scope="module")
def history(tried):
    assert tried.outcome.status == 0, tried.output
    return tried.history


def values(history, f, type="info"):
    return [each.value for each in history.select(f, type)]


def test_generators_are_noted_when_fit_starts_and_after_every_epoch(history):
    places = [(each.stage, each.epoch, each.step) for each in history.select("generators")]
    assert places == [("train", 0, 0), ("train", 0, 5), ("train", 1, 10), ("train", 2, 15)]


@pytest.mark.parametrize(("generator", "drawn_from"), [("torch", {0, 1, 2}), ("python", {1}), ("numpy", {2})])
def test_a_digest_changes_with_the_epoch_that_draws(history, generator, drawn_from):
    digests = [value[generator] for value in values(history, "generators")]
    assert {epoch for epoch in range(EPOCHS) if digests[epoch] != digests[epoch + 1]} == drawn_from


def test_learning_rates_are_noted_at_the_first_batch_that_has_them(history):
    noted = [(each.epoch, each.batch, each.value) for each in history.select("learning_rate")]
    assert noted == [(0, 0, [[0.5]]), (1, 0, [[0.25]]), (2, 0, [[0.125]])]


def test_every_pass_over_a_loader_is_noted_in_its_stage(history):
    stages = [each.stage for each in history.select("loader") if each.value == {"loader": 0}]
    assert stages == ["sanity", *["train", "validation"] * EPOCHS, "validation"]


def test_a_warning_is_noted_once_with_the_file_that_it_is_of(history):
    own = [value for value in values(history, "warning") if value["where"] == "scenario_observed.py"]
    assert own == [
        {"category": "UserWarning", "message": "shown", "where": "scenario_observed.py"},
        {"category": "DeprecationWarning", "message": "hidden by default", "where": "scenario_observed.py"},
    ]


def test_a_warning_of_another_thread_is_noted_at_the_end(history):
    *_, last = values(history, "warning")
    assert (last["message"], last["where"]) == ("elsewhere", "threading.py")


def test_a_hidden_warning_stays_hidden_and_a_shown_one_is_shown_once(tried):
    assert (tried.output.count("hidden by default"), tried.output.count("UserWarning: shown")) == (0, 1)


def test_every_call_to_the_trainer_is_noted_with_how_it_ended(history):
    calls = [(each.f, each.type) for each in history.operations if each.f.startswith("Trainer.")]
    ended = [(f"Trainer.{name}", type) for name in ("fit", "validate", "test", "predict") for type in ("invoke", "ok")]
    assert calls == [*ended, ("Trainer.test", "invoke"), ("Trainer.test", "fail")]


def test_what_the_trainer_says_after_fit(history):
    (said,) = values(history, "Trainer.fit", "ok")
    figures = said["callback_metrics"]
    assert list(figures) == ["val_loss"]
    kept = {"best_model_path": "kept/epoch=2.ckpt", "last_model_path": "kept/last.ckpt"}
    assert said == {
        "callback_metrics": figures,
        "checkpoints": [{**kept, "best_model_score": figures["val_loss"]}],
        "global_step": 15,
        "current_epoch": 3,
        "interrupted": False,
        "should_stop": False,
        "status": "finished",
        "logged_metrics": ["val_loss"],
        "progress_bar_metrics": [],
        "files": ["kept/epoch=2.ckpt", "kept/last.ckpt"],
    }


def test_what_a_test_returns_and_logs(history):
    (said,) = values(history, "Trainer.test", "ok")
    assert said["returned"] == [said["callback_metrics"]]
    assert (list(said["callback_metrics"]), said["progress_bar_metrics"]) == (["test_loss"], ["test_loss"])


def test_a_failed_call_says_what_its_caller_was_told(history):
    (failed,) = values(history, "Trainer.test", "fail")
    assert failed["exception"] == "FileNotFoundError"


def test_what_raises_when_it_is_asked_for_is_left_out():
    from harness.frameworks.lightning_observables import standing
    from harness.frameworks.trial_folder import TrialFolder

    class Asked:
        global_step = 5

        @property
        def callback_metrics(self):
            raise ValueError("nothing was seen")

    assert standing(Asked(), TrialFolder()) == {"global_step": 5}


def test_checkpoints_are_noted_where_they_are_written(history):
    saved = [(each.stage, each.epoch, each.value["file"]) for each in history.select("checkpoint", "ok")]
    epochs = [
        ("train", epoch, file) for epoch in range(EPOCHS) for file in (f"kept/epoch={epoch}.ckpt", "kept/last.ckpt")
    ]
    assert saved == [*epochs, (None, 3, "end.ckpt")]


@pytest.mark.parametrize("stage", ["test", "predict"])
def test_steps_of_a_stage_outside_fit_have_samples_and_outputs(history, stage):
    validated = [each for each in history.select("batch", "ok", stage="validation") if each.line > after_fit(history)]
    of_stage = list(history.select("batch", "ok", stage=stage))
    assert [each.value for each in of_stage] == [each.value for each in validated]
    assert len(of_stage) == 4


@pytest.mark.parametrize("stage", ["test", "predict"])
def test_hooks_of_a_stage_outside_fit_are_noted_there(history, stage):
    noted = [each.stage for hook in ("start", "end") for each in history.select(f"on_{stage}_epoch_{hook}", "info")]
    assert noted == [stage, stage]


def after_fit(history):
    return history.first("Trainer.fit", "ok").line


def test_every_line_is_a_valid_operation(history):
    fields = {"i": 0, "t_ns": 0, "process": 1, "rank": 0}
    names = ("f", "type", "stage", "epoch", "step", "batch", "value", "fault")
    for each in history.operations:
        jsonschema.validate({**fields, **{name: getattr(each, name) for name in names}}, schema("operation"))


def test_the_same_trial_gives_the_same_history(laboratory, history):
    again = laboratory.run("observed/everything/control@short/digits").history
    assert told(again) == told(history)


def told(history):
    return [
        (each.f, each.type, each.stage, each.epoch, each.step, each.batch, each.value)
        for each in history.operations
        if each.f != "exit"
    ]
