"""What is made of one trial in two environments: each kind of change alone, of a training written by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from histories import Operations, batch, ended, own_batch
from hypothesis import given
from hypothesis import strategies as st
from seen_trials import KEY, figure, history, training, trial

from harness.comparison import observables
from harness.comparison.compare import compare
from harness.comparison.differences import BIT, BREAKS, FASTER, FIXED, NUMBER, ORDER, SLOWER, WARNS, unseen_by_the_clock
from harness.comparison.observables import READERS
from harness.comparison.seen import Judged, Seen
from harness.history.encoding import decode_array, encode_array

LOSS = ("aggregate", "val_loss")


def told(a, b):
    return [(each.kind, each.observable, each.what) for each in compare(a, b)]


def changed(**of_which):
    """The training with the value of the first such operation changed: `value` is a function of the old one."""
    value = of_which.pop("value")
    operations = training()
    at = next(index for index, each in enumerate(operations) if each.items() >= of_which.items())
    operations[at] = {**operations[at], "value": value(operations[at]["value"])}
    return operations


def swapped(first, second):
    """The training with the first calls of two hooks exchanged."""
    operations = training()
    one, other = (next(index for index, each in enumerate(operations) if each["f"] == f) for f in (first, second))
    operations[one], operations[other] = operations[other], operations[one]
    return operations


def with_value(new, **of_which):
    return changed(value=lambda _: new, **of_which)


def updated(f, **new):
    return changed(f=f, type="ok", value=lambda old: {**old, **new})


def appended(f, value, before="on_fit_end", type="info", **at):
    return training().preceded_by([{"f": f, "type": type, "value": value, **at}], f=before)


def raising(at, exception="ValueError", message="no", ends=False):
    """The training up to a hook, which raises."""
    operations = training()
    error = {"exception": exception, "message": message}
    place = next(index for index, each in enumerate(operations) if each["f"] == at) + 1
    raised = Operations([*operations[:place], {"f": at, "type": "fail", "value": error}])
    if not ends:
        return Operations([*raised, *operations[place:]])
    raised.add("trial", "fail", error)
    raised.add("exit", "info", ended())
    return raised


# The same


def test_every_observable_is_in_the_training():
    """Otherwise nothing below says anything about it."""
    seen = observables.Observed(history(training()))
    assert {name for name in READERS if not seen[name]} == {"exceptions"}


def test_what_differs_from_run_to_run_is_no_difference():
    elsewhere = training().with_value(ended(peak_rss_bytes=9, limit_s=9.0), f="exit")
    warned = {"category": "UserWarning", "message": "few workers in /elsewhere/a.py", "where": "a.py"}
    elsewhere = elsewhere.with_value(warned, f="warning")
    assert compare(trial(), trial(elsewhere, process=9)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/home/me/checkpoints/last.ckpt is not a file", "/srv/last.ckpt is not a file"),
        ("<Loader at 0x7f00ab>", "<Loader at 0x55ffa0>"),
        ("worker (pid 12) exited", "worker (pid 3456) exited"),
        ("(pid(s) 12, 13) exited", "(pid(s) 3456) exited"),
        ("two\n lines", "two lines"),
    ],
)
def test_words_that_differ_from_run_to_run(one, other):
    assert observables.without_places(one) == observables.without_places(other)


def test_nan_is_the_same_as_nan_wherever_it_stands():
    metrics = {"val_loss": "NaN", "val_acc": 0.5}
    a = training().with_value(metrics, f="callback_metrics")
    b = a.with_value({"val_loss": "NaN", "val_acc": 0.75}, f="callback_metrics", epoch=1)
    assert told(trial(a), trial(a)) == []
    assert told(trial(a), trial(b)) == [(NUMBER, "callback_metrics", "`val_acc` differs")]


def test_minus_zero_is_zero():
    b = with_value({"val_loss": -0.0}, f="progress_bar")
    assert compare(trial(with_value({"val_loss": 0.0}, f="progress_bar")), trial(b)) == []
    assert not observables.alike(*(observables.Observed(history(each))["progress bar"] for each in (training(), b)))


# One change, one difference

WARNING = {"category": "DeprecationWarning", "message": "soon gone", "where": "b.py"}
CHANGES = [
    ("hook vanished", training().without(f="on_fit_end"), BREAKS, "hooks", "a callback's `on_fit_end` no longer runs"),
    ("hook less often", training().without(f="on_train_epoch_end", epoch=1), BREAKS, "hooks",
     "a callback's `on_train_epoch_end` runs less often"),
    ("hook doubled", training().twice(f="on_train_epoch_end"), BREAKS, "hooks",
     "a callback's `on_train_epoch_end` runs more often"),
    ("new hook", appended("on_new", None), ORDER, "hooks", "a callback's `on_new` runs now"),
    ("hooks swapped", swapped("configure_optimizers", "on_fit_start"), ORDER, "hooks",
     "the module's `configure_optimizers` runs elsewhere in the order"),
    ("other samples", with_value(batch((0, 7), 0), f="batch", type="ok", epoch=0), NUMBER, "samples",
     "steps are given other samples"),
    ("loader again", appended("loader", {"loader": 1}, stage="train"), NUMBER, "loaders",
     "train: loader 1 is iterated over another number of times"),
    ("other draws", with_value({"torch": "ff"}, f="generators", epoch=1), NUMBER, "random generators",
     "random generators differ"),
    ("other learning rate", with_value([[0.3]], f="learning_rate", epoch=1), NUMBER, "learning rates",
     "learning rates differ"),
    ("other logged value", updated("callback_metrics", val_acc=0.75), NUMBER, "callback_metrics", "`val_acc` differs"),
    ("rounded otherwise", updated("callback_metrics", val_acc=0.5 + 2.0**-24), BIT, "callback_metrics",
     "`val_acc` differs"),
    ("key gone", with_value({"val_loss": 0.25}, f="callback_metrics", epoch=0), NUMBER, "callback_metrics",
     "`val_acc` is told another number of times"),
    ("new key", updated("callback_metrics", extra=1.0), NUMBER, "callback_metrics", "`extra` is new"),
    ("given to self.log", changed(f="log", value=lambda old: {**old, "value": 7.0}), NUMBER, "self.log",
     "`train_loss` differs"),
    ("progress bar", with_value({"val_loss": 7.0}, f="progress_bar"), NUMBER, "progress bar", "`val_loss` differs"),
    ("metric object", with_value({"moment": "after", "updates": {"accuracy": 3}}, f="metric_state"), NUMBER,
     "metric objects", "metric objects differ"),
    ("returned figure", updated("Trainer.fit", callback_metrics={"val_loss": 7.0, "val_acc": 0.5}), NUMBER,
     "callback_metrics at the end", "`val_loss` differs"),
    ("returned step", updated("Trainer.fit", global_step=5), NUMBER, "Trainer", "global_step after Trainer.fit"),
    ("test() returns another number", updated("Trainer.test", returned=[{"test_loss": 0.75}, {"test_loss": 0.5}]),
     NUMBER, "returned", "`Trainer.test()[0]['test_loss']` differs"),
    ("test() rounds otherwise", updated("Trainer.test", returned=[{"test_loss": 0.25}, {"test_loss": 0.5 + 2.0**-24}]),
     BIT, "returned", "`Trainer.test()[1]['test_loss']` differs"),
    ("test() returns fewer", updated("Trainer.test", returned=[{"test_loss": 0.25}]), BREAKS, "returned",
     "`Trainer.test()[1]['test_loss']` is no longer there"),
    ("test() returns more", updated("Trainer.test", returned=[{"test_loss": 0.25, "f1": 1.0}, {"test_loss": 0.5}]),
     NUMBER, "returned", "`Trainer.test()[0]['f1']` is new"),
    ("predict() returns others", updated("Trainer.predict", returned=["tensor of shape (3,)", 1.5]), NUMBER, "returned",
     "`Trainer.predict()[0]` is told otherwise"),
    ("logger told another end", with_value({"status": "failed"}, f="Logger.finalize", type="ok"), NUMBER, "Trainer",
     "status that the logger is told"),
    ("logged_metrics", updated("Trainer.fit", logged_metrics=["val_loss"]), BREAKS, "logged_metrics",
     "`val_acc` is no longer there"),
    ("progress_bar_metrics", updated("Trainer.fit", progress_bar_metrics=["val_loss", "v_num"]), NUMBER,
     "progress_bar_metrics", "`v_num` is new"),
    ("file gone", updated("Trainer.fit", files=["epoch=1.ckpt"]), BREAKS, "files",
     "`epoch=0.ckpt` is no longer there"),
    ("best checkpoint", updated("Trainer.fit", checkpoints=[{"best_model_path": "epoch=0.ckpt",
     "best_model_score": 0.25, "last_model_path": ""}]), NUMBER, "best checkpoint",
     "`best_model_path of checkpoint callback 1` is told otherwise"),
    ("checkpoint there, and not written then", training().without(f="checkpoint", epoch=0), NUMBER, "checkpoints",
     "checkpoints are written otherwise"),
    ("checkpoint elsewhere", with_value({"file": "a.ckpt"}, f="checkpoint", type="invoke"), NUMBER, "checkpoints",
     "checkpoints are written otherwise"),
    ("record", with_value({"lines": []}, f="record"), BREAKS, "record", "`epoch 0` is no longer there"),
    ("record rounds otherwise", with_value({"lines": [f"epoch 0: val_loss {0.25 + 2.0**-25!r}"]}, f="record"), BIT,
     "record", "`epoch 0` differs"),
    ("record of another number", with_value({"lines": ["epoch 0: val_loss 2.6e-1"]}, f="record"), NUMBER, "record",
     "`epoch 0` differs"),
    ("record in other words", with_value({"lines": ["epoch 0: val_acc 0.25"]}, f="record"), NUMBER, "record",
     "`epoch 0` is told otherwise"),
    ("new warning", appended("warning", WARNING), WARNS, "warnings", "warned: DeprecationWarning: soon gone"),
    ("warning gone", training().without(f="warning"), WARNS, "warnings",
     "no longer warned: UserWarning: few workers in …/a.py"),
    ("exception in a hook", raising("on_fit_start"), BREAKS, "exceptions", "on_fit_start raises ValueError"),
    ("exception ends it", raising("on_fit_start", ends=True), BREAKS, "exceptions", "raises ValueError, and did not"),
    ("killed", Operations([*training().until(f="on_fit_end"), {"f": "exit", "type": "info",
     "value": ended(status=-9)}]), BREAKS, "process", "the trial's process ends otherwise"),
    ("out of time", with_value(ended(timed_out=True), f="exit"), BREAKS, "process",
     "the trial's process ends otherwise"),
    ("leaves a process", with_value(ended(left_behind=1), f="exit"), BREAKS, "process",
     "the trial leaves processes or files behind"),
    ("more calls", training().with_value({"python_calls": 1021, "held_bytes": 64}, f="counters"), SLOWER, "cost",
     "Python calls in an epoch's steps (train)"),
    ("fewer calls", training().with_value({"python_calls": 900, "held_bytes": 64}, f="counters"), FASTER, "cost",
     "Python calls in an epoch's steps (train)"),
    ("more bytes", training().with_value({"python_calls": 1000, "held_bytes": 65}, f="counters"), SLOWER, "cost",
     "bytes that the module holds (train)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operations", "kind", "observable", "what"), [each[1:] for each in CHANGES], ids=[each[0] for each in CHANGES]
)
def test_a_change_alone_is_one_difference_of_its_class(operations, kind, observable, what):
    (difference,) = compare(trial(), trial(operations))
    assert (difference.kind, difference.observable, difference.what) == (kind, observable, what)
    assert difference.a != difference.b


def test_a_checkpoint_that_is_neither_written_nor_there_breaks_who_reads_it():
    b = updated("Trainer.fit", files=["epoch=1.ckpt"]).without(f="checkpoint", epoch=0)
    assert told(trial(), trial(b)) == [
        (BREAKS, "files", "`epoch=0.ckpt` is no longer there"),
        (BREAKS, "checkpoints", "a checkpoint is no longer written"),
    ]


def test_figures_that_the_logger_is_told_at_another_step_are_each_named():
    b = changed(f="logger", value=lambda old: {**old, "step": 9})
    assert told(trial(), trial(b)) == [
        (NUMBER, "logger", "`val_acc` is told otherwise"),
        (NUMBER, "logger", "`val_loss` is told otherwise"),
    ]


def test_figures_in_two_writes_in_place_of_one():
    write = training()[next(i for i, each in enumerate(training()) if each["f"] == "logger")]
    one, other = ({**write, "value": {**write["value"], "metrics": {name: value}}}
                  for name, value in sorted(write["value"]["metrics"].items()))  # fmt: skip
    b = training().without(f="logger", epoch=0).preceded_by([one, other], f="progress_bar")
    assert told(trial(), trial(b)) == [
        (ORDER, "logger writes", "figures are told to the logger in another number of writes")
    ]


@pytest.mark.parametrize("by", [1.0, 0.0], ids=["beside other weights", "alone"])
def test_writes_follow_from_figures_that_the_logger_is_newly_told(by):
    new = changed(f="logger", value=lambda old: {**old, "metrics": {**old["metrics"], "extra": 1.0}})
    a, b = trial(), trial(retrained(new, by=by) if by else new)
    assert (NUMBER, "logger", "`extra` is new") in told(a, b)
    assert not [of for _, of, _ in told(a, b) if of == "logger writes"]


@pytest.mark.parametrize(
    ("name", "seen", "what"),
    [("stage", "9", "the stage"), ("epoch", 9, "current_epoch"), ("step", 9, "global_step"), ("batch", 9, "the batch")],
)
def test_a_counter_that_a_hook_sees_otherwise(name, seen, what):
    operations = Operations({**each, name: seen} if each["f"] == "on_train_epoch_end" else each for each in training())
    (difference,) = compare(trial(), trial(operations))
    assert (difference.kind, difference.observable) == (NUMBER, "counters")
    assert difference.what == f"{what}, as seen by a callback's `on_train_epoch_end`"
    assert "9 at a callback's `on_train_epoch_end`" in difference.b


@pytest.mark.parametrize("returned", [[], None])
def test_a_test_that_returns_nothing_breaks_who_reads_it(returned):
    found = told(trial(), trial(updated("Trainer.test", returned=returned)))
    assert (BREAKS, "returned", "`Trainer.test()[0]['test_loss']` is no longer there") in found


def test_what_test_returns_follows_from_other_weights():
    b = retrained(updated("Trainer.test", returned=[{"test_loss": 0.75}, {"test_loss": 0.5}]))
    assert "returned" in follows(trial(), trial(b), "predictions")


def test_an_argument_that_a_hook_is_given_otherwise():
    a, b = (training().with_value(value, f="on_train_epoch_end", epoch=0) for value in (0, 1))
    (difference,) = compare(trial(a), trial(b))
    assert (difference.kind, difference.what) == (NUMBER, "the argument, as seen by a callback's `on_train_epoch_end`")
    assert [told.split()[0] for told in (difference.a, difference.b)] == ["0", "1"]


def test_a_counter_is_compared_beside_hooks_that_vanished():
    operations = training().without(f="on_train_epoch_start", epoch=0)
    operations = Operations({**each, "step": 9} if each["f"] == "on_fit_end" else each for each in operations)
    assert told(trial(), trial(operations)) == [
        (BREAKS, "hooks", "the module's `on_train_epoch_start` runs less often"),
        (NUMBER, "counters", "global_step, as seen by a callback's `on_fit_end`"),
    ]


def test_both_values_and_both_lines_are_named():
    (difference,) = compare(trial(), trial(updated("callback_metrics", val_acc=0.75)))
    line = next(line for line, each in enumerate(training(), 1) if each["f"] == "callback_metrics")
    assert (difference.a, difference.b) == (
        "val_acc = 0.5 (validation, epoch 0)",
        "val_acc = 0.75 (validation, epoch 0)",
    )
    assert difference.lines_a == difference.lines_b == (line,)


# What follows from another


def follows(a, b, observable):
    (found,) = (each.follows for each in compare(a, b) if each.observable == observable)
    return found


def scaled(told, by):
    """A batch with predictions that are that much larger, relative to what they were."""
    outputs = decode_array(told["outputs"])
    return {**told, "outputs": json.loads(encode_array(outputs * np.float32(1 + by)))}


def retrained(operations, epoch=1, by=1.0, predictions_by=1.0):
    """With other predictions, weights and figures in an epoch."""
    changed = Operations()
    for each in operations:
        value = each["value"]
        if each.get("epoch") == epoch and isinstance(value, dict):
            if each["f"] == "weights":
                value = {"crc32": 99}
            elif each["f"] == "batch":
                value = scaled(value, predictions_by)
            elif each["f"] in ("callback_metrics", "progress_bar"):
                value = {name: figure + by for name, figure in value.items()}
            elif each["f"] == "logger":
                value = {**value, "metrics": {name: figure + by for name, figure in value["metrics"].items()}}
        changed.append({**each, "value": value})
    return changed


OF_TRAINING = ("callback_metrics", "logger", "predictions", "progress bar", "weights")
ROUNDING = 2.0**-26
ULP = 2.0**-23  # of 12 samples' predictions, which may differ by 38 * 2**-24 of the largest
A_BIT = {"by": ROUNDING, "predictions_by": ULP}


@pytest.mark.parametrize(
    ("cause", "kind", "observable"),
    [
        (with_value(batch((0, 7), 0), f="batch", type="ok", epoch=0), NUMBER, "samples"),
        (with_value({"torch": "ff"}, f="generators", epoch=0), NUMBER, "random generators"),
        (with_value([[0.3]], f="learning_rate", epoch=0), NUMBER, "learning rates"),
    ],
    ids=["samples", "draws", "learning rate"],
)
def test_other_weights_and_figures_follow_from_what_training_was_given(cause, kind, observable):
    a, b = trial(), trial(retrained(cause), {LOSS: figure("exact", 0.25, 1.25)})
    ((found, of, _),) = told(a, b)
    assert (found, of) == (kind, observable)
    assert follows(a, b, observable) == OF_TRAINING


def test_figures_follow_from_weights_that_differ_for_no_reason_that_was_seen():
    a, b = trial(), trial(retrained(training()), {LOSS: figure("exact", 0.25, 1.25)})
    assert told(a, b) == [(NUMBER, "predictions", "predictions and weights differ")]
    assert follows(a, b, "predictions") == ("callback_metrics", "logger", "progress bar", "weights")


def test_weights_that_differ_by_rounding_only_are_only_a_bit():
    a, b = trial(), trial(retrained(training(), **A_BIT), {LOSS: figure("exact", 0.25, 0.25 + ROUNDING)})
    assert told(a, b) == [(BIT, "predictions", "predictions and weights differ")]


WITHOUT_FIGURES = ("log", "logger", "progress_bar", "callback_metrics")


def without_figures(operations, *, predictions=True):
    for f in WITHOUT_FIGURES:
        operations = operations.without(f=f)
    if predictions:
        return operations
    return Operations(
        {**each, "value": {**each["value"], "outputs": None}} if (each["f"], each["type"]) == ("batch", "ok") else each
        for each in operations
    )


@pytest.mark.parametrize(("by", "kind"), [(ULP, BIT), (32 * ULP, NUMBER), (math.nan, NUMBER)])
def test_without_figures_predictions_say_what_other_weights_come_to(by, kind):
    a = without_figures(training())
    assert [each.kind for each in compare(trial(a), trial(retrained(a, epoch=0, predictions_by=by)))] == [kind]


@pytest.mark.parametrize("epoch", [0, 1])
def test_weights_alone_that_differ_change_a_number(epoch):
    """Those of the last epoch, which nothing is computed with, and all of a trial that shows no predictions."""
    a = without_figures(training(), predictions=epoch == 1)
    b = a.with_value({"crc32": 99}, f="weights", stage="train", epoch=epoch, step=2 * epoch + 2)
    assert told(trial(a), trial(b)) == [(NUMBER, "weights", "weights differ")]


@pytest.mark.parametrize(("value", "kind"), [(1.5, BIT), ("MeanMetric", NUMBER)])
def test_without_predictions_numbers_given_to_self_log_show_what_other_weights_come_to(value, kind):
    a = without_figures(training(), predictions=False)
    later = [
        {"f": "log", "type": "info", "value": {"name": "train_loss", "value": value}, "stage": "train", "epoch": 1}
    ]
    a = a.preceded_by(later, f="batch", type="ok", stage="train", epoch=1)
    b = a.with_value({"crc32": 99}, f="weights", stage="train", epoch=0, step=2)
    assert told(trial(a), trial(b)) == [(kind, "weights", "weights differ")]


def test_weights_that_predictions_after_them_do_not_show_are_only_a_bit():
    """Rounded away in a lower precision, say."""
    b = training().with_value({"crc32": 99}, f="weights", stage="train", epoch=0, step=2)
    assert told(trial(), trial(b)) == [(BIT, "weights", "weights differ")]


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_predictions_of_another_kind_change_a_number(dtype):
    b = changed(f="batch", type="ok", value=lambda old: {
        **old, "outputs": json.loads(encode_array(decode_array(old["outputs"]).astype(dtype)))})  # fmt: skip
    assert told(trial(), trial(b)) == [(NUMBER, "predictions", "predictions differ")]


@pytest.mark.parametrize(
    "b",
    [
        trial(retrained(training(), **A_BIT), {LOSS: figure("exact", 0.25, 0.28)}),
        trial(retrained(training(), by=0.001, predictions_by=ULP)),
        trial(retrained(with_value({"lines": ["epoch 0: val_loss 0.3"]}, f="record"), **A_BIT)),
        trial(retrained(with_value({"lines": ["epoch 0: val_acc 0.25"]}, f="record"), **A_BIT)),
        trial(retrained(training(), by=ROUNDING, predictions_by=32 * ULP)),
    ],
    ids=["a figure beyond its bounds", "a figure without bounds", "in a record", "text", "predictions"],
)
def test_weights_that_make_any_figure_differ_by_more_change_a_number(b):
    assert told(trial(), b)[0][0] == NUMBER


@pytest.mark.parametrize("to", ["missing", "wrong", "biased"])
@pytest.mark.parametrize(
    "cause", [training(), with_value(batch((0, 7), 0), f="batch", type="ok", epoch=0)], ids=["weights", "samples"]
)
def test_a_verdict_that_other_numbers_do_not_explain_is_told_beside_them(cause, to):
    """Truth is over what that very trial gave. A pattern that is right on some batches may be exact or biased."""
    b = trial(retrained(cause, by=ROUNDING), {LOSS: figure(to, 0.25, 0.25 + ROUNDING)})
    verdicts = [(kind, what) for kind, of, what in told(trial(), b) if of == "figure"]
    assert (
        verdicts
        == {
            "missing": [(BREAKS, "`val_loss`: exact → missing")],
            "wrong": [(NUMBER, "`val_loss`: exact → wrong")],
            "biased": [],
        }[to]
    )


def test_a_name_that_is_gone_is_told_beside_other_weights():
    b = retrained(training()).with_value({"val_loss": 0.25}, f="callback_metrics")
    assert told(trial(), trial(b)) == [
        (NUMBER, "predictions", "predictions and weights differ"),
        (BREAKS, "callback_metrics", "`val_acc` is no longer there"),
    ]


def test_batches_in_another_order_change_order():
    one, other = (each for each in training() if each["f"] == "batch" and each["type"] == "ok" and each["epoch"] == 1
                  and each["stage"] == "train")  # fmt: skip
    b = training().with_value(other["value"], f="batch", type="ok", stage="train", epoch=1, batch=0)
    b = b.with_value(one["value"], f="batch", type="ok", stage="train", epoch=1, batch=1)
    assert told(trial(), trial(b)) == [(ORDER, "samples", "samples come in another order")]


def with_own_targets(*batches, epoch=1):
    """Of an epoch's training: two samples in each of two batches, told by their targets."""
    operations = training()
    for number, targets in enumerate(batches):
        ids = tuple(range(2 * number, 2 * number + len(targets)))
        here = {"f": "batch", "type": "ok", "stage": "train", "epoch": epoch, "batch": number}
        operations = operations.with_value(own_batch(ids, targets, 1), **here)
    return operations


@pytest.mark.parametrize(
    ("batches", "kind"),
    [
        ([(3, 4), (1, 2)], ORDER),
        ([(2, 1), (3, 4)], ORDER),
        ([(1, 3), (2, 4)], ORDER),
        ([(1, 2), (3, 3)], NUMBER),
        ([(1, 2, 3), (4,)], NUMBER),
    ],
    ids=["batches", "within a batch", "across batches", "other samples", "other sizes"],
)
def test_samples_of_data_of_ones_own_are_told_by_their_targets(batches, kind):
    (found,) = told(trial(with_own_targets((1, 2), (3, 4))), trial(with_own_targets(*batches)))
    assert found[:2] == (kind, "samples")


def test_samples_that_another_epoch_is_given_are_others():
    a, b = (Operations([*with_own_targets(*each, epoch=0)]) for each in (((1, 2), (3, 4)), ((5, 6), (7, 8))))
    swapped = [with_own_targets(*each, epoch=1) for each in (((5, 6), (7, 8)), ((1, 2), (3, 4)))]
    sides = [
        trial(Operations(two if two.get("epoch") == 1 else one for one, two in zip(*each, strict=True)))
        for each in ((a, swapped[0]), (b, swapped[1]))
    ]
    assert [each[:2] for each in told(*sides)] == [(NUMBER, "samples")]


@pytest.mark.parametrize("at", ["configure_optimizers", "on_train_epoch_start", "on_fit_end"])
def test_after_an_exception_that_ends_the_trial_no_hook_is_told_by_itself(at):
    b = trial(raising(at, ends=True), {LOSS: figure("raised", message="ValueError: no")})
    (difference,) = compare(trial(), b)
    assert (difference.a, difference.b) == ("nothing", "ValueError: no")
    assert {"hooks", "files", "aggregate val_loss"} <= {*difference.follows}
    assert difference.lines_b == (len(raising(at, ends=True)) - 1,)


def test_a_warning_before_the_exception_is_told():
    b = raising("on_fit_end", ends=True).preceded_by([{"f": "warning", "type": "info", "value": WARNING}], f="loader")
    assert [kind for kind, *_ in told(trial(), trial(b))] == [BREAKS, WARNS]


@pytest.mark.parametrize(
    ("a", "b", "kind", "what"),
    [
        (("ValueError", "no"), ("TypeError", "no"), BREAKS, "raises TypeError in place of ValueError"),
        (("ValueError", "no"), ("ValueError", "not so"), WARNS, "other words: on_fit_end raises ValueError"),
        (("ValueError", "no a.py /b/c.py"), ("ValueError", "no a.py /d/c.py"), None, None),
    ],
)  # fmt: skip
def test_an_exception_in_place_of_another(a, b, kind, what):
    sides = [trial(raising("on_fit_end", *each, ends=True)) for each in (a, b)]
    assert told(*sides) == ([(kind, "exceptions", what)] if kind else [])


@pytest.mark.parametrize(
    ("fault", "findings", "kind"),
    [
        ("none", {}, FIXED),
        ("none", {LOSS: figure("wrong")}, BREAKS),
        ("step.exception", {}, BREAKS),
    ],
)
def test_an_exception_that_is_gone_is_fixed_if_all_else_is_well_and_nothing_was_to_raise_it(fault, findings, kind):
    key = replace(KEY, fault=fault)
    a, b = trial(raising("on_fit_end", ends=True), key=key), trial(training(), findings, key=key)
    ((found, of, _),) = told(a, b)
    assert (found, of) == (kind, "exceptions")


KILLED = Operations([*training().until(f="on_fit_end"), {"f": "exit", "type": "info", "value": ended(status=-9)}])
HUNG = training().with_value(ended(timed_out=True, status=1), f="exit")


@pytest.mark.parametrize("a", [KILLED, HUNG], ids=["killed", "out of time"])
@pytest.mark.parametrize(
    ("fault", "b", "findings", "kind"),
    [
        ("none", training(), {}, FIXED),
        ("none", training(), {LOSS: figure("wrong")}, BREAKS),
        ("none", training().with_value(ended(status=3), f="exit"), {}, BREAKS),
        ("process.exit", training(), {}, BREAKS),
    ],
    ids=["and all is well", "and a figure is wrong", "and another end is bad", "and it was to end so"],
)
def test_a_bad_end_that_is_gone_is_fixed_if_all_else_is_well_and_nothing_was_to_cause_it(a, fault, b, findings, kind):
    key = replace(KEY, fault=fault)
    ((found, of, _),) = told(trial(a, key=key), trial(b, findings, key=key))
    assert (found, of) == (kind, "process")


@pytest.mark.parametrize("b", [KILLED, HUNG], ids=["killed", "out of time"])
def test_a_bad_end_in_place_of_an_exception_fixes_nothing(b):
    ((found, of, _),) = told(trial(raising("on_fit_end", ends=True)), trial(b))
    assert (found, of) == (BREAKS, "exceptions")


def test_of_exceptions_in_hooks_each_that_is_new_or_gone_is_told():
    a = raising("on_fit_start", "ValueError", "one")
    error = {"f": "Logger.finalize", "type": "fail", "value": {"exception": "OSError", "message": "full"}}
    b = raising("on_fit_start", "ValueError", "two").preceded_by([error], f="record")
    assert told(trial(a), trial(b)) == [(BREAKS, "exceptions", "Logger.finalize raises OSError")]


def test_weights_do_not_follow_from_what_is_no_cause():
    b = retrained(appended("loader", {"loader": 1}, stage="train"))
    assert [(kind, of) for kind, of, _ in told(trial(), trial(b))] == [(NUMBER, "loaders"), (NUMBER, "predictions")]


def test_with_fewer_steps_figures_are_told_fewer_times_and_follow():
    b = training().without(f="log", epoch=1).without(f="logger", epoch=1).without(f="batch", stage="train", epoch=1)
    b = retrained(b)
    assert {of for _, of, _ in told(trial(), trial(b))} == {"hooks", "samples"}


def test_which_checkpoint_is_best_follows_from_other_weights():
    best = {"best_model_path": "epoch=0.ckpt", "best_model_score": 0.25, "last_model_path": ""}
    b = retrained(updated("Trainer.fit", checkpoints=[best]))
    assert [of for _, of, _ in told(trial(), trial(b))] == ["predictions"]


def test_loaders_in_another_order_change_order():
    sides = [appended("loader", {"loader": 1}, before=before, stage="train") for before in ("loader", "on_fit_end")]
    assert told(*map(trial, sides)) == [(ORDER, "loaders", "loaders differ")]


def test_checkpoints_in_another_order_change_order():
    first = [{**each, "value": {"file": "b.ckpt"}} for each in training() if each["f"] == "checkpoint"][:1]
    a = training().preceded_by(first, f="checkpoint")
    b = training().preceded_by(first, f="checkpoint", type="ok")
    assert told(trial(a), trial(b)) == [(ORDER, "checkpoints", "checkpoints are written in another order")]


@pytest.mark.parametrize(("by", "kind"), [(11 * 2.0**-24, BIT), (12 * 2.0**-24, NUMBER)])
def test_numbers_without_a_bound_differ_by_rounding_or_by_more(by, kind):
    """Over four samples: twice (4 + 5 + 2) * 2**-24 of the larger, so 11 * 2**-24 here."""
    assert [each.kind for each in compare(trial(), trial(updated("callback_metrics", val_acc=0.5 + by)))] == [kind]


@pytest.mark.parametrize(("dtype", "kind"), [("bfloat16", BIT), ("float32", NUMBER)])
def test_numbers_beside_predictions_in_half_precision_are_held_to_its_rounding(dtype, kind):
    def labelled(operations):
        return Operations(
            {**each, "value": {**each["value"], "outputs": {**each["value"]["outputs"], "dtype": dtype}}}
            if (each["f"], each["type"]) == ("batch", "ok") else each for each in operations
        )  # fmt: skip

    a, b = labelled(training()), labelled(updated("callback_metrics", val_acc=0.5 + 2.0**-9))
    assert [each.kind for each in compare(trial(a), trial(b))] == [kind]


def test_of_numbers_that_differ_the_farthest_decides():
    b = updated("callback_metrics", val_acc=0.5 + 2.0**-24).with_value(
        {"val_loss": 0.25, "val_acc": 0.9}, f="callback_metrics", epoch=1
    )
    assert [each.kind for each in compare(trial(), trial(b))] == [NUMBER]


@pytest.mark.parametrize(("before", "after", "unseen"), [(1000, 1020, True), (1000, 1021, False), (1020, 1000, True),
    (1000, 980, False), (0, 0, True), (0, 1, False), (50, 51, True), (50, 51.5, False)])  # fmt: skip
def test_calls_that_the_clock_may_not_see(before, after, unseen):
    """1000 to 980 is beyond: 1000 is more than 1.02 times that. The margin is the same up and down."""
    assert unseen_by_the_clock(before, after) == unseen_by_the_clock(after, before) == unseen


@pytest.mark.parametrize("calls", [1020, 981])
def test_calls_within_what_the_clock_may_not_see_are_no_difference(calls):
    assert compare(trial(), trial(training().with_value({"python_calls": calls, "held_bytes": 64}, f="counters"))) == []


def test_a_hook_that_fires_with_stale_figures_is_told_beside_other_hooks():
    sides = [trial(findings={("cell", "it"): Judged("fired", "", {})}),
             trial(training().without(f="on_fit_end"), {("cell", "it"): Judged("stale", "", {})})]  # fmt: skip
    assert [each.observable for each in compare(*sides)] == ["hooks", "finding"]


# Verdicts and figures

VERDICTS = [
    ("exact", "biased", NUMBER), ("exact", "wrong", NUMBER), ("exact", "missing", BREAKS), ("exact", "raised", BREAKS),
    ("biased", "exact", FIXED), ("wrong", "exact", FIXED), ("missing", "exact", FIXED), ("missing", "wrong", FIXED),
    ("biased", "wrong", NUMBER), ("wrong", "missing", BREAKS), ("exact", "unknown", None), ("unknown", "wrong", None),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "kind"), VERDICTS)
def test_a_verdict_on_a_figure(a, b, kind):
    found = told(trial(findings={LOSS: figure(a)}), trial(findings={LOSS: figure(b)}))
    assert found == ([(kind, "figure", f"`val_loss`: {a} → {b}")] if kind else [])


@pytest.mark.parametrize(
    ("checker", "a", "b", "kind"),
    [
        ("samples", "ok", "violated", NUMBER), ("bracket", "ok", "violated", BREAKS),
        ("samples", "violated", "ok", FIXED),
        ("cell", "fired", "silent", BREAKS), ("cell", "silent", "fired", ORDER), ("cell", "fired", "stale", NUMBER),
        ("cell", "stale", "fired", FIXED), ("record", "ok", "unknown", None),
    ],
)  # fmt: skip
def test_a_verdict_on_a_property(checker, a, b, kind):
    sides = [trial(findings={(checker, "it"): Judged(verdict, "", {})}) for verdict in (a, b)]
    assert told(*sides) == ([(kind, "finding", f"{checker}: it: {a} → {b}")] if kind else [])


@pytest.mark.parametrize(("checker", "told_again"), [("hook", []), ("cell", []), ("samples", ["finding"])])
def test_what_is_said_of_a_hook_is_not_told_again_beside_the_hook(checker, told_again):
    b = trial(training().without(f="on_fit_end"), {(checker, "it"): Judged("violated", "", {})})
    a = trial(findings={(checker, "it"): Judged("ok", "", {})})
    assert [each.observable for each in compare(a, b)] == ["hooks", *told_again]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (0.5, 0.5, None),
        (0.5, 0.515625, BIT),  # the sum of both bounds, exact in binary
        (0.5, 0.515626, NUMBER),
        (0.5, math.nan, NUMBER),
        (math.nan, math.nan, None),
        (math.inf, math.inf, None),
        (math.inf, -math.inf, NUMBER),
        (math.inf, 0.5, NUMBER),
        (None, 0.5, None),
    ],
)
def test_a_figure_moves_if_beyond_both_bounds(before, after, kind):
    sides = [trial(findings={LOSS: figure("biased", 0.5, each, bound=0.0078125)}) for each in (before, after)]
    found = compare(*sides)
    assert [(each.kind, each.observable) for each in found] == ([(kind, "figure")] if kind else [])
    assert all(each.a == f"{before!r} in epoch 1" and each.b == f"{after!r} in epoch 1" for each in found)
    assert all(each.lines_a == (2,) for each in found)


def test_of_the_epochs_in_which_a_figure_moved_the_first_beyond_the_bounds_is_told():
    sides = [trial(findings={LOSS: figure("biased", *each)}) for each in ((0.5, 0.5, 0.5), (0.501, 0.6, 0.7))]
    (difference,) = compare(*sides)
    assert (difference.kind, difference.b) == (NUMBER, "0.6 in epoch 1")


def test_reports_of_a_figure_that_moved_follow_and_those_of_others_do_not():
    b = trial(updated("callback_metrics", val_loss=0.75, val_acc=0.9), {LOSS: figure("exact", 0.75, 0.25)})
    assert told(trial(), b) == [
        (NUMBER, "figure", "`val_loss` moved"),
        (NUMBER, "callback_metrics", "`val_acc` differs"),
    ]
    b = trial(updated("callback_metrics", val_loss=0.75), {LOSS: figure("exact", 0.75, 0.25)})
    assert told(trial(), b) == [(NUMBER, "figure", "`val_loss` moved")]
    assert follows(trial(), b, "figure") == ("callback_metrics",)


@pytest.mark.parametrize(
    ("by_logger", "others"),
    [(0.75, []), (0.745, []), (0.25, []), (99.0, [(NUMBER, "logger", "`val_loss` differs")])],
    ids=["the same", "within bounds", "as it was", "another"],
)
@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [(figure("biased", 0.25, 0.25), figure("exact", 0.75, 0.75), FIXED),
     (figure("exact", 0.25, 0.25, bound=0.25), figure("exact", 0.75, 0.75, bound=0.25), BIT)],
    ids=["fixed", "only a bit"],
)  # fmt: skip
def test_reports_follow_from_a_figure_that_did_not_get_worse_if_they_moved_with_it(a, b, kind, by_logger, others):
    operations = updated("callback_metrics", val_loss=0.75)
    operations = operations.with_value(
        {"step": 1, "epoch": 0, "metrics": {"val_acc": 0.5, "val_loss": by_logger}}, f="logger", epoch=0
    )
    sides = trial(findings={LOSS: a}), trial(operations, {LOSS: b})
    assert [each for each in told(*sides) if each[1] != "figure"] == others
    assert [found for found, of, _ in told(*sides) if of == "figure"] == [kind]


def test_a_report_that_was_another_than_the_figure_is_told_although_it_is_now_the_same():
    sides = [
        trial(with_value({"val_loss": value}, f="progress_bar"), {LOSS: figure(verdict, *[seen] * 2)})
        for value, verdict, seen in ((99.0, "biased", 0.25), (0.75, "exact", 0.75))
    ]
    assert (NUMBER, "progress bar", "`val_loss` differs") in told(*sides)


def test_a_report_of_a_figure_that_did_not_move_where_it_is_judged_is_told():
    """It is judged by one of its reports; here the logger alone is told another."""
    b = changed(f="logger", value=lambda old: {**old, "metrics": {**old["metrics"], "val_loss": 0.75}})
    assert told(trial(), trial(b)) == [(NUMBER, "logger", "`val_loss` differs")]


# Whatever it is


@given(st.data())
def test_whatever_differs_is_told_or_follows_from_what_is(data):
    operations = training()
    at = data.draw(st.integers(2, len(operations) - 3))
    how = data.draw(st.sampled_from(["left out", "doubled", "moved"]))
    if how == "doubled":
        operations.insert(at, operations[at])
    else:
        taken = operations.pop(at)
        if how == "moved":
            operations.insert(data.draw(st.integers(2, len(operations) - 3)), taken)
    a, b = trial(), trial(operations)
    found = compare(a, b)
    named = {name for each in found for name in (each.observable, *each.follows)}
    assert {*a.changed(b)} - {"counters"} <= named
    assert bool(found) >= bool(a.changed(b))
    mirrored = compare(b, a)
    assert bool(mirrored) == bool(found)


# Digests


def kept(seen):
    return Seen(seen.key, seen.findings, None, {}, seen.digests)


def test_digests_are_the_same_if_nothing_differs():
    assert compare(kept(trial()), trial()) == compare(trial(process=9), kept(trial())) == []


@pytest.mark.parametrize(
    ("operations", "kind", "observable"),
    [
        (training().twice(f="on_fit_end"), ORDER, "hooks"),
        (training().without(f="warning"), WARNS, "warnings"),
        (training().with_value({"crc32": 9}, f="weights", epoch=1), BIT, "weights"),
        (with_value({"lines": ["epoch 1: val_loss 0.25"]}, f="record"), NUMBER, "record"),
        (updated("callback_metrics", extra=0.75), NUMBER, "callback_metrics"),
    ],
)
def test_of_digests_that_differ_it_is_told_which(operations, kind, observable):
    assert (kind, observable, f"{observable} differ from those kept") in told(kept(trial()), trial(operations))


def test_a_fraction_in_a_record_has_no_digest_that_differs_in_its_last_bits():
    assert compare(kept(trial()), trial(with_value({"lines": ["epoch 0: val_loss 0.2500001"]}, f="record"))) == []


def test_verdicts_are_compared_beside_digests():
    assert told(kept(trial()), trial(findings={LOSS: figure("missing")})) == [
        (BREAKS, "figure", "`val_loss`: exact → missing")
    ]


# Nothing is recorded that nobody compares

UNREAD = {
    "trial invoke": "what was asked for: the trial's key",
    "plan info": "what the harness read off the scenario, for its checkers",
    "fault info": "what the harness did itself",
    "exit info where": "a line of code, which moves with every release",
    "exit info limit_s": "what was asked for",
    "exit info peak_rss_bytes": "differs from run to run",
    "exit info leftovers": "names drawn by chance; how many is compared",
    "warning info where": "a file of the framework's, which nobody reads",
    "batch ok outputs.stored": "how to decode what is compared",
    "batch ok targets.stored": "how to decode what is compared",
    "checkpoint ok file": "the same as at `invoke`",
    "checkpoint fail file": "the same as at `invoke`",
    "log info on_epoch": "an argument of the module's own; what comes of it is compared",
}


def everything():
    """The training, and what else may be in a history."""
    told = with_own_targets((1, 2), (3, 4))
    told[0] = {**told[0], "value": {"scenario": "a", "seed": 0}}
    told = told.preceded_by([{"f": "plan", "type": "info", "value": {"hooks": ["on_fit_end"]}}], f="Trainer.fit")
    error = {"exception": "OSError", "message": "full"}
    others = [
        {"f": "fault", "type": "info", "value": error},
        {"f": "checkpoint", "type": "fail", "value": {"file": "a.ckpt", **error}},
        {"f": "batch", "type": "fail", "value": {"ids": (0, 1), **error}, "stage": "train", "epoch": 1},
        {"f": "on_train_batch_end", "type": "info", "value": 0, "stage": "train", "epoch": 1},
        {"f": "log", "type": "info", "value": {"name": "x", "value": "NaN", "on_epoch": True}},
    ]
    told = told.preceded_by(others, f="on_fit_end")
    return told.with_value(ended(leftovers=["/dev/shm/a"]), f="exit")


def leaves(value, place=()):
    """A shape is one, since it must fit its array."""
    if place[-1:] == ("shape",):
        yield place, value
    elif isinstance(value, (dict, list, tuple)) and value:
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*place, key))
    elif place or value is not None:
        yield place, value


def another(leaf):
    if isinstance(leaf, bool):
        return not leaf
    if isinstance(leaf, (int, float)):
        return 2 * leaf + 1
    if isinstance(leaf, list):
        return [*leaf, 1]
    if leaf and leaf.endswith("="):  # base64
        return "AAAB" + leaf[4:]
    return f"other {leaf}"


def with_leaf(value, place, leaf):
    if not place:
        return leaf
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = with_leaf(value[place[0]], place[1:], leaf)
    return copy


def test_whatever_was_recorded_is_compared():
    operations = everything()
    before, unread = trial(operations), set()
    for at, operation in enumerate(operations):
        for place, leaf in leaves(operation["value"]):
            value = with_leaf(operation["value"], place, another(leaf))
            if not compare(
                before, trial(Operations([*operations[:at], {**operation, "value": value}, *operations[at + 1 :]]))
            ):
                unread.add(f"{operation['f']} {operation['type']} {'.'.join(map(str, place))}")
    assert {next((known for known in UNREAD if each.startswith(known)), each) for each in unread} == {*UNREAD}
