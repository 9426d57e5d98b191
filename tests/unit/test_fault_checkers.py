"""What checkers make of trials under faults: hand-made histories that are fine, and defects planted in them, each of
which must be named.

Three epochs of two training batches and one of validation; a callback `Log` that keeps a record of epochs, and a module
that defines the hooks that end epochs. What goes wrong does so in epoch 1.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from histories import Operation, Operations, batch, ended, found, objections, shown

from harness.checkers import aggregates, judge
from harness.checkers.case import Case
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.faults.fault import NONE, Fault
from harness.history import reader
from harness.history.encoding import encode_number
from harness.history.recorder import Recorder
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import Aggregate, Expect, Record, Scenario
from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload

EPOCHS = 3
WORKLOAD = Workload(
    name="ids/short", task="regression", features=np.arange(6, dtype=np.float32)[:, None],
    targets=np.zeros((6, 1), dtype=np.float32), train=((0, 1), (2, 3)), validation=((4, 5),),
    schedule=Schedule(epochs=EPOCHS),
)  # fmt: skip
BATCHES = {"train": WORKLOAD.train, "validation": WORKLOAD.validation}
CLOSE_TRAINING, CLOSE_VALIDATION = "on_train_epoch_end", "on_validation_epoch_end"
OF_THE_LOG = ["on_exception", "on_fit_end", "on_train_end", CLOSE_TRAINING, CLOSE_VALIDATION]
SCENARIO = Scenario(
    pattern="test/faults", variant="recommended", source="", module=object, workloads=("ids/*",), framework="lightning",
    aggregates=(
        Aggregate("train_mean", of=mean_of_outputs, stage="train", reported_in="callback_metrics"),
        Aggregate("val_mean", of=mean_of_outputs, stage="validation", reported_in="callback_metrics"),
    ),
    hooks=(), expects=(), needs="", predictions_from="", trainer={}, locator="", declared_at="",
    record=Record("epochs", int),
)  # fmt: skip
ENVIRONMENT = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": "2.6.6"}, "unavailable": ""})

RAISES = Fault("step", "exception", batch=1)
RAISES_IN_VALIDATION = Fault("step", "exception", "validation", batch=0)
CALLBACK_RAISES = Fault("callback", "raises_after")
EMPTY = Fault("loader", "runs_dry", batch=0)
KILLED = Fault("process", "kill", batch=1)
HANGS = Fault("loader", "hangs", batch=1)
INTERRUPTED = Fault("process", "interrupt", batch=1)
TERMINATED = Fault("process", "terminate", batch=0)
STOPPED = Fault("process", "stop_requested", batch=1)
RANK_RAISES = Fault("strategy", "rank_raises", batch=0, rank=1)
NAN_LOSS = Fault("step", "nan_loss")


def hook(f: str, stage: str | None = None, epoch: int | None = None) -> Operations:
    called = Operations()
    called.add(f, "invoke", stage=stage, epoch=epoch)
    called.add(f, "ok", stage=stage, epoch=epoch)
    return called


def step(stage: str, epoch: int, index: int) -> Operations:
    stamp = {"stage": stage, "epoch": epoch, "batch": index}
    taken = Operations()
    taken.add("batch", "invoke", **stamp)
    taken.add("batch", "ok", batch(BATCHES[stage][index], epoch), **stamp)
    return taken


def seen_by_callbacks(f: str, stage: str, epoch: int) -> Operations:
    """A hook that recording itself notes, and what callbacks are shown then."""
    noted = Operations()
    noted.add(f, "info", stage=stage, epoch=epoch)
    figures = {"val_mean": encode_number(4.5 + epoch)}
    if f == CLOSE_TRAINING:
        figures["train_mean"] = encode_number(1.5 + epoch)
    if f in (CLOSE_TRAINING, CLOSE_VALIDATION):
        noted.add("callback_metrics", "ok", figures, stage=stage, epoch=epoch)
    return noted


def validation(epoch: int) -> Operations:
    return Operations([
        *seen_by_callbacks("on_validation_epoch_start", "validation", epoch), *step("validation", epoch, 0),
        *(each for f in (f"Log.{CLOSE_VALIDATION}", CLOSE_VALIDATION) for each in hook(f, "validation", epoch)),
        *seen_by_callbacks(CLOSE_VALIDATION, "validation", epoch),
    ])  # fmt: skip


def end_of_epoch(epoch: int) -> Operations:
    return Operations([
        *hook(f"Log.{CLOSE_TRAINING}", "train", epoch), *seen_by_callbacks(CLOSE_TRAINING, "train", epoch),
        *hook(CLOSE_TRAINING, "train", epoch),
    ])  # fmt: skip


def an_epoch(epoch: int) -> Operations:
    return Operations([
        *seen_by_callbacks("on_train_epoch_start", "train", epoch), *step("train", epoch, 0), *step("train", epoch, 1),
        *validation(epoch), *end_of_epoch(epoch),
    ])  # fmt: skip


def start() -> Operations:
    begun = Operations()
    begun.add("trial", "invoke")
    log = {"name": "Log", "kind": "callback", "hooks": OF_THE_LOG}
    begun.add(
        "plan", "info",
        {"max_epochs": EPOCHS, "stages": [*BATCHES], "hooks": [CLOSE_TRAINING, CLOSE_VALIDATION], "owners": [log]},
    )  # fmt: skip
    return begun


def through() -> Operations:
    """The end of a training that ran to it."""
    over = Operations(hook("Log.on_train_end"))
    over.add("on_train_end", "info")
    return Operations([*over, *hook("Log.on_fit_end"), *hook("Logger.finalize")])


def completed(recorded: Sequence[int] = range(EPOCHS)) -> Operations:
    over = Operations()
    over.add("trial", "ok")
    return Operations([*over, *gone(recorded)])


def gone(recorded: Sequence[int], **exit: object) -> Operations:
    """What is noted once the process is no more."""
    noted = Operations()
    noted.add("record", "info", {"lines": [str(epoch) for epoch in recorded]})
    noted.add("exit", "info", ended(**exit))
    return noted


def strikes(fault: Fault, value: object = None) -> Operations:
    noted = Operations()
    noted.add("fault", "info", value, stage=fault.stage, epoch=fault.epoch, batch=fault.batch, fault=fault.name)
    return noted


def told_of_exception() -> Operations:
    told = hook("Log.on_exception")
    told.add("on_exception", "info")
    return Operations([*told, *hook("Logger.finalize")])


def failed(exception: str, message: str, recorded: Sequence[int]) -> Operations:
    over = Operations()
    over.add("trial", "fail", {"exception": exception, "message": message, "where": "scenario.py:7"})
    return Operations([*over, *gone(recorded, status=1)])


def until_batch_1(fault: Fault, value: object = None) -> Operations:
    """Up to the fault, in the second training step of epoch 1."""
    before = an_epoch(1).until(f="batch", type="ok", batch=1)
    return Operations([*start(), *an_epoch(0), *before, *strikes(fault, value)])


def thrown(fault: Fault) -> Operation:
    return {"exception": "InjectedError", "message": fault.message}


def healthy() -> Operations:
    epochs = (operation for epoch in range(EPOCHS) for operation in an_epoch(epoch))
    return Operations([*start(), *epochs, *through(), *completed()])


def raised() -> Operations:
    """`RAISES`, as the documentation has it."""
    history = until_batch_1(RAISES, thrown(RAISES))
    history.add("batch", "fail", {"ids": (2, 3), **thrown(RAISES)}, stage="train", epoch=1, batch=1)
    return Operations([*history, *told_of_exception(), *failed(**thrown(RAISES), recorded=[0])])


def raised_in_validation() -> Operations:
    """The training epoch it is in ends no more."""
    before = an_epoch(1).until(f="batch", type="ok", stage="validation")
    history = Operations(
        [*start(), *an_epoch(0), *before, *strikes(RAISES_IN_VALIDATION, thrown(RAISES_IN_VALIDATION))]
    )
    failure = {"ids": (4, 5), **thrown(RAISES_IN_VALIDATION)}
    history.add("batch", "fail", failure, stage="validation", epoch=1, batch=0)
    return Operations([*history, *told_of_exception(), *failed(**thrown(RAISES_IN_VALIDATION), recorded=[0])])


def raised_in_a_callback() -> Operations:
    """After `Log`, which has had its turn."""
    before = an_epoch(1).until(f=CLOSE_TRAINING, type="info")
    raised = strikes(CALLBACK_RAISES, thrown(CALLBACK_RAISES))
    told = [*told_of_exception(), *failed(**thrown(CALLBACK_RAISES), recorded=[0, 1])]
    return Operations([*start(), *an_epoch(0), *before, *raised, *told])


def raised_after_the_end_of_epoch_1() -> Operations:
    """In a callback that comes after what recording itself notes."""
    raised = strikes(CALLBACK_RAISES, thrown(CALLBACK_RAISES))
    told = [*told_of_exception(), *failed(**thrown(CALLBACK_RAISES), recorded=[0, 1])]
    return Operations([*start(), *an_epoch(0), *an_epoch(1), *raised, *told])


def keras_epoch_end(epoch: int) -> Operations:
    noted = Operations()
    noted.add("on_epoch_end", "info", stage="train", epoch=epoch)
    return noted


def empty_epoch() -> Operations:
    """The epoch ends without a batch, and without validation; callbacks see the figures of the one before."""
    shown = {"train_mean": encode_number(1.5), "val_mean": encode_number(4.5)}
    ending = end_of_epoch(1).with_value(shown, f="callback_metrics")
    epoch_1 = [*seen_by_callbacks("on_train_epoch_start", "train", 1), *strikes(EMPTY), *ending]
    return Operations([*start(), *an_epoch(0), *epoch_1, *an_epoch(2), *through(), *completed()])


def killed() -> Operations:
    return Operations([*until_batch_1(KILLED), *gone([0], status=-9)])


def hung() -> Operations:
    return Operations([
        *start(), *an_epoch(0), *an_epoch(1).until(f="batch", batch=1), *strikes(HANGS),
        *gone([0], status=-9, timed_out=True),
    ])  # fmt: skip


def interrupted() -> Operations:
    """Since 2.4, Lightning leaves by `sys.exit`."""
    history = until_batch_1(INTERRUPTED)
    history.add(
        "batch",
        "fail",
        {"ids": (2, 3), "exception": "KeyboardInterrupt", "message": ""},
        stage="train",
        epoch=1,
        batch=1,
    )
    return Operations([*history, *told_of_exception(), *failed("SystemExit", "1", recorded=[0])])


def terminated() -> Operations:
    """Since 2.0, Lightning lets the batch end."""
    before = an_epoch(1).preceded_by(strikes(TERMINATED), f="batch", type="ok").until(f="batch", type="invoke", batch=1)
    end = [*told_of_exception(), *failed("SIGTERMException", "", recorded=[0])]
    return Operations([*start(), *an_epoch(0), *before, *end])


def stopped() -> Operations:
    """The epoch that it is asked in ends in order, and is the last."""
    epoch_1 = an_epoch(1).preceded_by(strikes(STOPPED), f="batch", type="ok", batch=1)
    return Operations([*start(), *an_epoch(0), *epoch_1, *through(), *completed([0, 1])])


def raised_in_keras(exception: str, message: str) -> Operations:
    """`RAISES`, and what reaches the caller."""
    history = until_batch_1(RAISES, thrown(RAISES))
    return Operations([*history, *failed(exception, message, recorded=[0])])


def of_keras(case: Case) -> Case:
    return replace(case, trial=replace(case.trial, framework="keras"))


def nan_in_every_step() -> Operations:
    epoch_1 = an_epoch(1)
    for index in range(2):
        epoch_1 = epoch_1.preceded_by(
            strikes(replace(NAN_LOSS, batch=index)), f="batch", type="ok", stage="train", batch=index
        )
    return Operations([*start(), *an_epoch(0), *epoch_1, *an_epoch(2), *through(), *completed()])


EMPTY_AS_EXPECTED = (
    Expect("violated", f"*{CLOSE_TRAINING}", "epoch_end"),
    Expect("violated", "epochs premature", "record"),
    Expect("wrong", "train_mean*", "aggregate"),
)
FINE_RECORD = {"epochs lost": "ok", "epochs doubled": "ok", "epochs premature": "ok"}
FINE = {
    NONE: ((), healthy, ()),
    "an exception": ((RAISES,), raised, ()),
    "an exception in validation": ((RAISES_IN_VALIDATION,), raised_in_validation, ()),
    "a callback raises": ((CALLBACK_RAISES,), raised_in_a_callback, ()),
    "an epoch without data": ((EMPTY,), empty_epoch, EMPTY_AS_EXPECTED),
    "killed": ((KILLED,), killed, ()),
    "hung": ((HANGS,), hung, ()),
    "interrupted": ((INTERRUPTED,), interrupted, ()),
    "terminated": ((TERMINATED,), terminated, ()),
    "stopped": ((STOPPED,), stopped, ()),
    "NaN in every step": ((NAN_LOSS,), nan_in_every_step, ()),
}


@pytest.fixture
def case(tmp_path):
    """Makes a case of operations, under faults: they are written by the recorder and read back, as in a run."""

    def make(operations: Operations, *faults: Fault, workload: Workload = WORKLOAD, **different: object) -> Case:
        path = tmp_path / "history.jsonl"
        path.unlink(missing_ok=True)
        recorder = Recorder(path)
        for operation in operations:
            recorder.write(**operation)
        recorder.close()
        scenario = replace(SCENARIO, **different)
        name = faults[0].name if faults else NONE
        trial = Trial(scenario.id, "", "lightning", workload.name, "cpu", 0, fault=name, faults=faults)
        return Case(trial, scenario, workload, reader.read(path), ENVIRONMENT)

    return make


def verdicts(case: Case, checker: str) -> dict[str, str]:
    return {each.aggregate: each.verdict for each in judge(case) if each.checker == checker}


@pytest.mark.parametrize("name", FINE)
def test_a_history_as_documented_meets_no_objection(case, name):
    faults, history, expects = FINE[name]
    assert objections(case(history(), *faults, expects=expects)) == []


@pytest.mark.parametrize("name", FINE)
def test_nor_is_it_where_what_is_asked_of_the_trainer_is_noted(case, name):
    faults, history, expects = FINE[name]
    assert objections(case(with_requests(history()), *faults, expects=expects)) == []


def with_requests(history: Operations) -> Operations:
    """Of `fit`, and in the last hook of each training epoch of a checkpoint: one that could not be written tells so."""
    noted = Operations()
    for each in history:
        f, type = each["f"], each["type"]
        if f == "trial" and type != "invoke":
            noted.add("Trainer.fit", str(type), each["value"])
        if f == CLOSE_TRAINING and type == "ok":
            stamp = {key: each.get(key) for key in ("stage", "epoch")}
            noted.add("checkpoint", "invoke", {"file": "last.ckpt"}, **stamp)
            failure = {"file": "last.ckpt", "exception": "OSError", "message": "No space left on device"}
            noted.add("checkpoint", "fail", failure, **stamp)
        noted.append(each)
        if f == "trial" and type == "invoke":
            noted.add("Trainer.fit", "invoke")
    return noted


def test_every_checker_has_a_say_on_a_trial_under_a_fault(case):
    assert {each.checker for each in judge(case(raised(), RAISES))} == {
        "fault", "aggregate", "bracket", "order", "epoch_end", "exception", "on_exception", "cell", "record",
        "process",
    }  # fmt: skip


class TestHistories:
    """One that was damaged shows nothing."""

    @pytest.mark.parametrize(
        ("of", "what"),
        [
            ({"f": "plan"}, "plan"),
            ({"f": "trial", "type": "ok"}, "end of the trial"),
            ({"f": "record"}, "record"),
            ({"f": "exit"}, "exit"),
        ],
        ids=lambda of: of["f"] if isinstance(of, dict) else "",
    )
    def test_a_line_that_is_doubled_is_named(self, case, of, what):
        doubled = case(healthy().twice(**of))
        (finding,) = judge(doubled)
        assert (finding.checker, finding.verdict, finding.as_expected) == ("history", "unknown", False)
        assert (finding.message, shown(doubled, finding)) == (
            f"damaged: there is a second line of the {what}",
            [of["f"]],
        )

    def test_two_ends_of_one_process_are_too_many(self, case):
        (finding,) = judge(case(raised().preceded_by(completed()[:1], f="record"), RAISES))
        assert finding.message == "damaged: there is a second line of the end of the trial"

    def test_a_process_that_follows_another_has_lines_of_its_own(self, case):
        again = [*start(), *an_epoch(1), *an_epoch(2), *through(), *completed()]
        resumed = case(Operations([*raised().until(f="record"), *again]), RAISES)
        assert {each.checker for each in judge(resumed)} > {"process"}


class TestFaults:
    """A trial whose fault did not do what was scheduled shows nothing."""

    @pytest.mark.parametrize(
        ("history", "message"),
        [
            (healthy(), "step.exception in train, epoch 1, batch 1 did not fire"),
            (raised().twice(f="fault"), "step.exception in train, epoch 1, batch 1 fired, and was not to"),
            (
                Operations({**each, "batch": 0} if each["f"] == "fault" else each for each in raised()),
                "step.exception in train, epoch 1, batch 1 did not fire; "
                "step.exception in train, epoch 1, batch 0 fired, and was not to",
            ),
        ],
        ids=["not", "twice", "elsewhere"],
    )
    def test_nothing_else_is_judged_then(self, case, history, message):
        (finding,) = judge(case(history, RAISES))
        assert (finding.checker, finding.verdict, finding.as_expected) == ("fault", "unknown", False)
        assert finding.message == message

    def test_one_that_fired_as_scheduled_is_shown(self, case):
        fired = case(raised(), RAISES)
        finding = found(fired, "fault", RAISES.name)
        assert (finding.verdict, finding.message, shown(fired, finding)) == ("ok", "", ["fault"])

    def test_one_of_every_batch_must_fire_at_each(self, case):
        once = nan_in_every_step().without(f="fault", batch=1)
        (finding,) = judge(case(once, NAN_LOSS))
        assert (finding.verdict, finding.message) == ("unknown", "step.nan_loss in train, epoch 1 did not fire")

    def test_one_that_training_ends_before_needs_not_fire(self, case):
        assert objections(case(raised(), RAISES, Fault("step", "exception", epoch=2, batch=0))) == []

    def test_a_trial_without_faults_needs_none(self, case):
        assert verdicts(case(healthy()), "fault") == {}


class TestOrder:
    NAME = "hooks and steps"

    @pytest.mark.parametrize(
        ("tampered", "message"),
        [
            (
                healthy().without(f=f"Log.{CLOSE_TRAINING}", epoch=1),
                f"after {CLOSE_VALIDATION}, epoch 1, Log.{CLOSE_TRAINING}, epoch 1 was due, "
                f"and {CLOSE_TRAINING}, epoch 1 came",
            ),
            (
                healthy().preceded_by(hook(CLOSE_TRAINING, "train", 1), f=CLOSE_TRAINING, type="info", epoch=1),
                f"after {CLOSE_TRAINING}, epoch 1, the train step of batch 0, epoch 2 was due, "
                f"and {CLOSE_TRAINING}, epoch 1 came",
            ),
            (
                healthy()
                .without(f=CLOSE_VALIDATION, type="invoke", epoch=0)
                .preceded_by(
                    hook(CLOSE_VALIDATION, "validation", 0)[:1], f=f"Log.{CLOSE_VALIDATION}", type="invoke", epoch=0
                ),
                f"after the validation step of batch 0, epoch 0, Log.{CLOSE_VALIDATION}, epoch 0 was due, "
                f"and {CLOSE_VALIDATION}, epoch 0 came",
            ),
            (
                healthy().without(f="Logger.finalize"),
                "after Log.on_fit_end, Logger.finalize was due, and nothing came",
            ),
            (
                healthy().preceded_by(hook("Log.on_exception"), f="trial", type="ok"),
                "after Logger.finalize, the end was due, and Log.on_exception came",
            ),
            (
                healthy().without(f="batch", epoch=2, stage="validation"),
                "after the train step of batch 1, epoch 2, the validation step of batch 0, epoch 2 was due, "
                f"and Log.{CLOSE_VALIDATION}, epoch 2 came",
            ),
        ],
        ids=["missing", "doubled", "out of order", "last one missing", "one too many", "step missing"],
    )
    def test_the_first_deviation_is_told(self, case, tampered, message):
        finding = found(case(tampered), "order", self.NAME)
        assert (finding.verdict, finding.as_expected, finding.message) == ("violated", False, message)
        assert finding.evidence

    def test_where_it_deviates_is_shown(self, case):
        tampered = case(healthy().without(f=f"Log.{CLOSE_TRAINING}", epoch=1))
        assert shown(tampered, found(tampered, "order", self.NAME))[:2] == [CLOSE_VALIDATION, CLOSE_TRAINING]

    @pytest.mark.parametrize("f", ["Log.on_exception", "Logger.finalize"])
    def test_after_an_exception_what_is_documented_then_must_come(self, case, f):
        assert verdicts(case(raised().without(f=f), RAISES), "order") == {self.NAME: "violated"}

    @pytest.mark.parametrize("f", [f"Log.{CLOSE_TRAINING}", "Log.on_train_end", "Log.on_fit_end"])
    def test_after_an_exception_nothing_else_may_come(self, case, f):
        went_on = raised().preceded_by(hook(f, "train", 1), f="trial", type="fail")
        finding = found(case(went_on, RAISES), "order", self.NAME)
        assert finding.message.startswith("after Logger.finalize, the end was due, ")

    def test_training_that_goes_on_after_an_exception_is_told(self, case):
        went_on = [*until_batch_1(RAISES, thrown(RAISES)), *validation(1), *end_of_epoch(1), *an_epoch(2), *through()]
        finding = found(case(Operations([*went_on, *completed()]), RAISES), "order", self.NAME)
        assert finding.message == (
            "after the train step of batch 1, epoch 1, Log.on_exception was due, "
            "and the validation step of batch 0, epoch 1 came"
        )

    def test_an_epoch_after_the_one_that_was_to_be_the_last_is_told(self, case):
        went_on = stopped().preceded_by(an_epoch(2), f="Log.on_train_end")
        assert verdicts(case(went_on, STOPPED), "order") == {self.NAME: "violated"}

    def test_the_order_is_that_of_the_version(self, case):
        """Up to 1.9, SIGTERM ends the process at once."""
        assert found(case(terminated(), TERMINATED), "order", self.NAME).as_expected
        oldest = Environment({**ENVIRONMENT.found, "packages": {"pytorch-lightning": "1.9.5"}})
        assert not found(replace(case(terminated(), TERMINATED), environment=oldest), "order", self.NAME).as_expected

    def test_sanity_checking_is_no_matter(self, case):
        checked = Operations({**each, "stage": "sanity"} for each in validation(0))
        assert objections(case(healthy().preceded_by(checked, f="on_train_epoch_start"))) == []

    def test_nothing_comes_once_it_hangs(self, case):
        more = hung().preceded_by(hook("Log.on_exception"), f="record")
        assert verdicts(case(more, HANGS), "order") == {self.NAME: "violated"}

    def test_what_comes_before_is(self, case):
        less = hung().without(f=CLOSE_TRAINING, epoch=0, type="invoke")
        assert verdicts(case(less, HANGS), "order") == {self.NAME: "violated"}

    def test_a_training_that_is_resumed_has_no_model(self, case):
        resumed = replace(WORKLOAD, schedule=replace(WORKLOAD.schedule, stopped_at=(1, 0)))
        assert verdicts(case(healthy(), workload=resumed), "order") == {}


class TestBrackets:
    NAME = "hooks and steps"

    @pytest.mark.parametrize(("resumed_by", "verdict"), [("on_fit_start", "ok"), ("on_train_start", "violated")])
    def test_an_epoch_may_start_once_more_where_training_is_resumed(self, resumed_by, verdict, case):
        cut_off = [*seen_by_callbacks("on_train_epoch_start", "train", 1), *step("train", 1, 0)]
        resumed = Operations()
        resumed.add(resumed_by, "info", stage="train", epoch=1)
        epochs = [*an_epoch(0), *cut_off, *resumed, *an_epoch(1), *an_epoch(2)]
        assert verdicts(case(Operations([*start(), *epochs, *through(), *completed()])), "bracket") == {
            self.NAME: verdict
        }

    @pytest.mark.parametrize(
        ("tampered", "message", "evidence"),
        [
            (
                healthy().without(f=f"Log.{CLOSE_TRAINING}", type="ok", epoch=2),
                f"Log.{CLOSE_TRAINING} never ended",
                [f"Log.{CLOSE_TRAINING}"],
            ),
            (
                healthy().without(f=CLOSE_VALIDATION, type="invoke", epoch=1),
                f"{CLOSE_VALIDATION} ended, and had not begun",
                [CLOSE_VALIDATION],
            ),
            (
                healthy()
                .without(f="batch", type="ok", epoch=1, batch=1)
                .preceded_by(step("train", 1, 1)[1:], f=f"Log.{CLOSE_VALIDATION}", type="ok", epoch=1),
                f"Log.{CLOSE_VALIDATION} did not end before batch did",
                [f"Log.{CLOSE_VALIDATION}"],
            ),
            (
                healthy().twice(f="on_train_epoch_start", epoch=1),
                "on_train_epoch_start of epoch 1 came twice",
                ["on_train_epoch_start"],
            ),
            (
                healthy().without(f="on_validation_epoch_start", epoch=1),
                f"{CLOSE_VALIDATION} of epoch 1 came first",
                [CLOSE_VALIDATION],
            ),
            (
                healthy().without(f=CLOSE_TRAINING, type="info", epoch=0),
                "on_train_epoch_start of epoch 1 came twice",
                ["on_train_epoch_start"],
            ),
        ],
        ids=["never ended", "not begun", "not nested", "begun twice", "end without start", "start without end"],
    )
    def test_what_does_not_balance_is_named(self, case, tampered, message, evidence):
        unbalanced = case(tampered)
        finding = found(unbalanced, "bracket", self.NAME)
        assert (finding.verdict, finding.as_expected) == ("violated", False)
        assert message in finding.message.split("; ")
        assert shown(unbalanced, finding)[: len(evidence)] == evidence

    @pytest.mark.parametrize(
        ("history", "fault"),
        [(raised(), RAISES), (killed(), KILLED), (hung(), HANGS)],
        ids=["raised", "killed", "hung"],
    )
    @pytest.mark.parametrize(
        "of",
        [
            {"f": "batch", "stage": "train", "batch": 1},
            {"f": "batch", "stage": "validation"},
            {"f": f"Log.{CLOSE_TRAINING}"},
            {"f": CLOSE_TRAINING},
        ],
        ids=str,
    )
    def test_what_ended_before_has_an_end_however_training_did(self, case, history, fault, of):
        unbalanced = case(history.without(**of, type="ok", epoch=0), fault)
        finding = found(unbalanced, "bracket", self.NAME)
        assert (finding.verdict, finding.as_expected, finding.message) == ("violated", False, f"{of['f']} never ended")
        assert shown(unbalanced, finding) == [of["f"]]

    def test_the_step_that_raised_has_an_end(self, case):
        finding = found(case(raised().without(f="batch", type="fail"), RAISES), "bracket", self.NAME)
        assert (finding.verdict, finding.message) == ("violated", "batch never ended")

    @pytest.mark.parametrize("tampered", [{"epoch": 2}, {"batch": 0}, {"stage": "validation"}], ids=str)
    def test_an_end_is_of_the_step_that_began(self, case, tampered):
        history = raised()
        index = next(i for i, each in enumerate(history) if (each["f"], each["type"]) == ("batch", "fail"))
        history[index] = {**history[index], **tampered}
        finding = found(case(history, RAISES), "bracket", self.NAME)
        assert (finding.verdict, finding.message) == ("violated", "batch ended, and had not begun; batch never ended")

    @pytest.mark.parametrize("f", [CLOSE_TRAINING, CLOSE_VALIDATION])
    def test_an_epoch_that_ends_is_the_one_that_began(self, case, f):
        history = healthy()
        index = next(
            i for i, each in enumerate(history) if (each["f"], each["type"], each.get("epoch")) == (f, "info", 1)
        )
        history[index] = {**history[index], "epoch": 0}
        shifted = case(history)
        finding = found(shifted, "bracket", self.NAME)
        assert (finding.verdict, finding.message) == ("violated", f"{f} of epoch 0 came in epoch 1")
        assert shown(shifted, finding) == [f]

    def test_what_a_process_was_in_when_it_died_has_no_end(self, case):
        assert found(case(killed(), KILLED), "bracket", self.NAME).verdict == "ok"

    @pytest.mark.parametrize(("inner", "verdict"), [("Log.on_train_end", "ok"), ("Other.on_train_end", "violated")])
    def test_nor_have_hooks_of_one_object_that_it_was_in_one_within_the_other(self, case, inner, verdict):
        within = [*hook("Log.on_fit_end")[:1], *hook(inner), *hook(inner)[:1]]
        history = killed().without(f="batch", epoch=1, batch=1).preceded_by(within, f="record")
        assert found(case(history, KILLED), "bracket", self.NAME).verdict == verdict

    def test_a_process_that_follows_it_starts_afresh(self, case):
        again = [*start(), *an_epoch(1), *an_epoch(2), *through(), *completed()]
        resumed = Operations([*killed().until(f="record"), *again])
        objected = {checker for checker, _, _ in objections(case(resumed, KILLED))}
        assert objected.isdisjoint({"bracket", "order", "epoch_end", "process"})

    def test_sanity_checking_is_no_matter(self, case):
        checked = seen_by_callbacks("on_validation_epoch_start", "sanity", 0)
        assert verdicts(case(healthy().preceded_by(checked, f="on_train_epoch_start")), "bracket") == {self.NAME: "ok"}


class TestEpochEnds:
    @pytest.mark.parametrize(("name", "stage"), [(f"Log.{CLOSE_TRAINING}", "train"), (CLOSE_VALIDATION, "validation")])
    @pytest.mark.parametrize("epoch", range(EPOCHS))
    def test_one_that_is_missing_is_named_with_its_epoch(self, case, name, stage, epoch):
        finding = found(case(healthy().without(f=name, type="invoke", epoch=epoch)), "epoch_end", name)
        assert (finding.verdict, finding.as_expected) == ("violated", False)
        assert finding.message == f"ran 0 times in epoch {epoch}, of which all batches had run"

    @pytest.mark.parametrize("name", [f"Log.{CLOSE_TRAINING}", CLOSE_VALIDATION])
    @pytest.mark.parametrize("epoch", range(EPOCHS))
    def test_one_that_ran_twice_is_named_with_its_epoch(self, case, name, epoch):
        doubled = case(healthy().twice(f=name, type="invoke", epoch=epoch))
        finding = found(doubled, "epoch_end", name)
        assert (finding.verdict, finding.message) == ("violated", f"ran 2 times in epoch {epoch}")
        assert shown(doubled, finding) == [name] * 4

    def test_one_of_an_epoch_without_data_is_named(self, case):
        finding = found(case(empty_epoch(), EMPTY), "epoch_end", CLOSE_TRAINING)
        assert (finding.verdict, finding.message) == ("violated", "ran in epoch 1, which saw no batch")

    def test_the_epoch_in_which_training_was_cut_off_may_lack_it(self, case):
        """All its batches had run, and the module's hook had not."""
        assert verdicts(case(raised_in_a_callback(), CALLBACK_RAISES), "epoch_end")[CLOSE_TRAINING] == "ok"

    def test_an_epoch_before_that_may_not(self, case):
        lacking = raised().without(f=CLOSE_TRAINING, type="invoke", epoch=0)
        assert verdicts(case(lacking, RAISES), "epoch_end")[CLOSE_TRAINING] == "violated"

    def test_an_epoch_that_was_resumed_has_one(self, case):
        """Its batches ran in two processes."""
        resumed = replace(WORKLOAD, schedule=replace(WORKLOAD.schedule, stopped_at=(1, 0)))
        first = [*start(), *an_epoch(0), *an_epoch(1).until(f="batch", batch=1)]
        rest = an_epoch(1).without(f="batch", stage="train", batch=0)

        def trained(*ends: Operations) -> Case:
            again = [operation for operations in ends for operation in operations]
            operations = Operations([*first, *again, *rest, *an_epoch(2), *through(), *completed()])
            return case(operations, workload=resumed)

        assert verdicts(trained(), "epoch_end")[CLOSE_TRAINING] == "ok"
        finding = found(trained(end_of_epoch(1)), "epoch_end", CLOSE_TRAINING)
        assert (finding.verdict, finding.message) == ("violated", "ran 2 times in epoch 1")

    def test_an_epoch_that_is_validated_twice_ends_two_validations(self, case):
        twice = replace(WORKLOAD, schedule=replace(WORKLOAD.schedule, validate_after=1))
        first = an_epoch(0).preceded_by(validation(0), f="batch", stage="train", batch=1)
        history = Operations([*start(), *first, *an_epoch(1), *an_epoch(2), *through(), *completed()])
        assert verdicts(case(history, workload=twice), "epoch_end")[CLOSE_VALIDATION] == "ok"


class TestExceptions:
    @pytest.mark.parametrize(
        ("exception", "message"), [("ValueError", RAISES.message), ("InjectedError", "something else")]
    )
    def test_one_that_was_replaced_is_told(self, case, exception, message):
        other = {"exception": exception, "message": message, "where": "scenario.py:7"}
        replaced = case(raised().with_value(other, f="trial", type="fail"), RAISES)
        finding = found(replaced, "exception", "caller")
        assert (finding.verdict, finding.as_expected) == ("violated", False)
        assert finding.message == (
            f"InjectedError: {RAISES.message} was raised, and {exception}: {message} reached the caller"
        )
        assert shown(replaced, finding) == ["fault", "trial"]

    def test_one_that_was_swallowed_is_told(self, case):
        history = raised().without(f="trial", type="fail").preceded_by(completed()[:1], f="record")
        finding = found(case(history, RAISES), "exception", "caller")
        assert (finding.verdict, finding.as_expected) == ("violated", False)
        assert finding.message == f"InjectedError: {RAISES.message} was raised, and the caller was told of nothing"

    def test_one_of_another_kind_than_was_due_is_told_even_if_it_came_through(self, case):
        error = {"exception": "KeyError", "message": "'features'"}
        history = raised().with_value(error, f="fault").with_value({**error, "where": ""}, f="trial", type="fail")
        finding = found(case(history, RAISES), "exception", "caller")
        assert (finding.verdict, finding.expected_verdict, finding.as_expected) == ("violated", "ok", False)
        assert finding.message == "KeyError reached the caller, and InjectedError was to"

    def test_one_that_nothing_raised_is_told(self, case):
        history = Operations([*stopped().until(f="trial", type="ok"), *failed("OSError", "no space", [0, 1])])
        finding = found(case(history, STOPPED), "exception", "caller")
        assert (finding.as_expected, finding.message) == (False, "OSError reached the caller, and nothing was to")

    def test_one_that_was_due_and_that_nobody_raised_is_told(self, case):
        """Lightning itself raises where the process is told to terminate."""
        went_on = [*terminated().until(f="Log.on_exception"), *step("train", 1, 1), *validation(1), *end_of_epoch(1)]
        through_it = Operations([*went_on, *an_epoch(2), *through(), *completed()])
        finding = found(case(through_it, TERMINATED), "exception", "caller")
        assert not finding.as_expected
        assert finding.message == "nothing reached the caller, and SIGTERMException was to"

    @pytest.mark.parametrize(
        ("exception", "message", "as_expected"),
        [
            ("UnknownError", f"Graph execution error: {RAISES.message}", True),
            ("UnknownError", "Graph execution error", False),
            ("KeyError", RAISES.message, False),
        ],
    )
    def test_one_that_is_known_to_change_is_the_one_that_is_known_and_says_what_it_was(
        self, case, exception, message, as_expected
    ):
        changed = of_keras(case(raised_in_keras(exception, message), RAISES))
        finding = found(changed, "exception", "caller")
        assert (finding.verdict, finding.as_expected) == ("violated", as_expected)

    def test_of_a_trial_that_raises_by_itself_only_what_it_promised_is_judged(self, case):
        by_itself = case(raised().without(f="fault"))
        assert {each.checker for each in judge(by_itself)} == {"aggregate", "process"}

    def test_an_interrupt_that_is_passed_on_as_it_was_raised_is_not_what_this_version_does(self, case):
        as_raised = {"exception": "KeyboardInterrupt", "message": "", "where": "scenario.py:7"}
        history = interrupted().with_value(as_raised, f="trial", type="fail")
        assert ("exception", "caller", "ok") in objections(case(history, INTERRUPTED))

    def test_an_interrupt_that_is_ignored_is_told(self, case):
        went_on = [*step("train", 1, 1)[1:], *validation(1), *end_of_epoch(1), *an_epoch(2), *through(), *completed()]
        ignored = case(Operations([*until_batch_1(INTERRUPTED), *went_on]), INTERRUPTED)
        assert ("on_exception", "Log.on_exception", "violated") in objections(ignored)

    @pytest.mark.parametrize(
        ("tampered", "message"),
        [
            (raised().without(f="Log.on_exception"), "ran 0 times"),
            (raised().preceded_by(hook("Log.on_exception"), f="trial", type="fail"), "ran 2 times"),
        ],
        ids=["not", "twice"],
    )
    def test_callbacks_that_are_not_told_once_are_named(self, case, tampered, message):
        finding = found(case(tampered, RAISES), "on_exception", "Log.on_exception")
        assert (finding.verdict, finding.as_expected, finding.message) == ("violated", False, message)

    def test_callbacks_that_are_told_of_nothing_are_named(self, case):
        told = case(stopped().preceded_by(hook("Log.on_exception"), f="trial", type="ok"), STOPPED)
        finding = found(told, "on_exception", "Log.on_exception")
        assert (finding.verdict, finding.as_expected, shown(told, finding)) == ("violated", False, ["Log.on_exception"])

    @pytest.mark.parametrize(
        ("message", "as_expected"),
        [(f"process 1 raised InjectedError: {RANK_RAISES.message}", True), ("process 1 failed", False)],
    )
    def test_what_another_rank_raised_is_to_be_said_by_who_started_it(self, case, message, as_expected):
        history = Operations([*start(), *an_epoch(0), *an_epoch(1).until(f="batch")])
        history += [{**each, "rank": 1} for each in strikes(RANK_RAISES, thrown(RANK_RAISES))]
        told = case(Operations([*history, *failed("ProcessRaisedException", message, [0])]), RANK_RAISES)
        told = replace(told, trial=replace(told.trial, ranks=2))
        assert found(told, "exception", "caller").as_expected == as_expected

    @pytest.mark.parametrize(("history", "fault"), [(killed(), KILLED), (hung(), HANGS)])
    def test_of_a_process_that_is_not_there_any_more_nobody_is_told(self, case, history, fault):
        assert {"exception", "on_exception"}.isdisjoint(each.checker for each in judge(case(history, fault)))


class TestAggregates:
    @pytest.mark.parametrize(
        ("name", "stage"), [("train_mean (callback_metrics)", "train"), ("val_mean (callback_metrics)", "validation")]
    )
    @pytest.mark.parametrize("epoch", range(EPOCHS))
    def test_a_figure_that_is_not_reported_of_a_pass_that_ended_is_missing(self, case, name, stage, epoch):
        silent = nan_in_every_step().with_value({}, f="callback_metrics", stage=stage, epoch=epoch)
        finding = found(case(silent, NAN_LOSS), "aggregate", name)
        assert (finding.verdict, finding.as_expected, finding.epoch) == ("missing", False, epoch)

    def test_nor_may_it_be_missing_before_training_fails(self, case):
        silent = raised().with_value({}, f="callback_metrics", stage="train", epoch=0)
        finding = found(case(silent, RAISES), "aggregate", "train_mean (callback_metrics)")
        assert (finding.verdict, finding.as_expected, finding.epoch) == ("missing", False, 0)

    @pytest.mark.parametrize(("epoch", "verdict"), [(0, "missing"), (1, "exact")])
    def test_of_the_epoch_that_training_failed_in_it_may_be(self, case, epoch, verdict):
        """A logger is told when the hooks of an epoch's end are over."""
        silent = raised_after_the_end_of_epoch_1().without(f="callback_metrics", stage="train", epoch=epoch)
        finding = found(case(silent, CALLBACK_RAISES), "aggregate", "train_mean (callback_metrics)")
        assert (finding.verdict, finding.as_expected) == (verdict, verdict == "exact")

    def test_of_an_epoch_without_a_batch_there_needs_to_be_none(self, case):
        silent = empty_epoch().with_value({}, f="callback_metrics", epoch=1)
        finding = found(case(silent, EMPTY), "aggregate", "train_mean (callback_metrics)")
        assert (finding.verdict, [each.epoch for each in finding.per_epoch]) == ("exact", [0, 2])

    def test_in_keras_figures_of_validation_are_due_when_the_epoch_ends(self, case):
        history = Operations(
            operation
            for epoch in range(EPOCHS)
            for operation in (*step("train", epoch, 0), *step("validation", epoch, 0), *keras_epoch_end(epoch))
        )
        silent = Operations([*start(), *history, *strikes(STOPPED), *completed()])
        aggregate = Aggregate("val_mean", of=mean_of_outputs, stage="validation")
        told = of_keras(case(silent, STOPPED, aggregates=(aggregate,)))
        assert [each.verdict for each in aggregates.check(told)] == ["missing"]
        assert {each.verdict for each in aggregates.check(told)[0].per_epoch} == {"missing"}

    @pytest.mark.parametrize(("epoch", "as_expected"), [(0, False), (1, True), (2, False)])
    def test_what_is_expected_is_so_in_the_epoch_that_the_fault_is_aimed_at(self, case, epoch, as_expected):
        figures = {"train_mean": 100.0, "val_mean": encode_number(4.5 + epoch)}
        wrong = nan_in_every_step().with_value(figures, f="callback_metrics", stage="train", epoch=epoch)
        expects = [Expect("wrong", "train_mean*", "aggregate", fault="step.nan_loss")]
        finding = found(case(wrong, NAN_LOSS, expects=expects), "aggregate", "train_mean (callback_metrics)")
        message = f"epoch {epoch} is wrong, predicted exact"
        assert (finding.verdict, finding.as_expected, finding.message == message) == (
            "wrong", as_expected, not as_expected
        )  # fmt: skip

    def test_a_fault_of_the_whole_training_is_aimed_at_every_epoch(self, case):
        wrong = healthy().with_value({"train_mean": 100.0}, f="callback_metrics", stage="train", epoch=2)
        fault = Fault("loader", "length_too_short", epoch=0)
        noted = Operations([*wrong[:2], *strikes(fault), *wrong[2:]])
        told = case(noted, fault, expects=[Expect("wrong", "train_mean*", "aggregate")])
        assert found(told, "aggregate", "train_mean (callback_metrics)").as_expected

    def test_without_a_fault_it_is_so_anywhere(self, case):
        wrong = healthy().with_value({"train_mean": 100.0}, f="callback_metrics", stage="train", epoch=2)
        told = case(wrong, expects=[Expect("wrong", "train_mean*", "aggregate")])
        assert found(told, "aggregate", "train_mean (callback_metrics)").as_expected


class TestCells:
    def test_each_hook_of_each_owner_has_one(self, case):
        assert verdicts(case(raised(), RAISES), "cell") == {
            "Log.on_exception": "fired", "Log.on_fit_end": "silent", "Log.on_train_end": "silent",
            f"Log.{CLOSE_TRAINING}": "silent", f"Log.{CLOSE_VALIDATION}": "silent",
            CLOSE_TRAINING: "silent", CLOSE_VALIDATION: "silent", "Logger.finalize": "fired",
        }  # fmt: skip

    def test_a_callback_before_the_one_that_raises_has_run(self, case):
        cells = verdicts(case(raised_in_a_callback(), CALLBACK_RAISES), "cell")
        assert (cells[f"Log.{CLOSE_TRAINING}"], cells[CLOSE_TRAINING]) == ("fired", "silent")

    def test_without_a_fault_there_are_none(self, case):
        assert verdicts(case(healthy()), "cell") == {}

    @pytest.mark.parametrize("name", [f"Log.{CLOSE_TRAINING}", CLOSE_VALIDATION, "Log.on_fit_end"])
    def test_a_hook_that_runs_although_training_was_cut_is_named(self, case, name):
        stage = "validation" if name == CLOSE_VALIDATION else "train"
        ran = case(raised().preceded_by(hook(name, stage, 1), f="trial", type="fail"), RAISES)
        finding = found(ran, "cell", name)
        assert (finding.verdict, finding.as_expected, shown(ran, finding)) == ("fired", False, [name])

    @pytest.mark.parametrize("name", [f"Log.{CLOSE_TRAINING}", CLOSE_VALIDATION, "Log.on_fit_end"])
    def test_a_hook_that_is_silent_although_it_was_due_is_named(self, case, name):
        silent = stopped().without(f=name, type="invoke", **({} if "fit" in name else {"epoch": 1}))
        finding = found(case(silent, STOPPED), "cell", name)
        assert (finding.verdict, finding.as_expected) == ("silent", False)

    def test_a_hook_of_an_epoch_belongs_to_the_one_that_the_fault_is_in(self, case):
        finding = found(case(stopped(), STOPPED), "cell", CLOSE_TRAINING)
        assert (finding.verdict, finding.epoch) == ("fired", 1)

    def test_a_hook_that_is_told_figures_of_an_earlier_epoch_is_stale(self, case):
        stale = case(empty_epoch(), EMPTY)
        finding = found(stale, "cell", f"Log.{CLOSE_TRAINING}")
        assert (finding.verdict, finding.as_expected) == ("stale", True)
        assert finding.message == "told train_mean of epoch 0; val_mean of epoch 0"
        assert shown(stale, finding) == [f"Log.{CLOSE_TRAINING}", *["callback_metrics"] * 4]

    def test_a_hook_that_is_told_such_figures_though_batches_ran_is_not_stale(self, case):
        same = stopped().with_value({"train_mean": 1.5}, f="callback_metrics", stage="train")
        assert found(case(same, STOPPED), "cell", CLOSE_TRAINING).verdict == "fired"

    def test_a_hook_that_is_told_no_stale_figures_where_it_was_to_be_is_named(self, case):
        honest = empty_epoch().with_value({}, f="callback_metrics", epoch=1)
        finding = found(case(honest, EMPTY), "cell", f"Log.{CLOSE_TRAINING}")
        assert (finding.verdict, finding.as_expected) == ("fired", False)


class TestRecord:
    @pytest.mark.parametrize(
        ("lines", "kind", "message"),
        [
            ("02", "lost", "epoch 1 is complete, and not recorded"),
            ("0112", "doubled", "epoch 1 is recorded 2 times"),
            ("0123", "premature", "epoch 3 is recorded, and not complete"),
            ("1133", "lost", "epoch 0 is complete, and not recorded; epoch 2 is complete, and not recorded"),
            ("1133", "doubled", "epoch 1 is recorded 2 times; epoch 3 is recorded 2 times"),
            ("1133", "premature", "epoch 3 is recorded, and not complete"),
        ],
    )
    def test_what_is_wrong_with_it_is_told(self, case, lines, kind, message):
        kept = case(healthy().with_value({"lines": list(lines)}, f="record"))
        finding = found(kept, "record", f"epochs {kind}")
        assert (finding.verdict, finding.as_expected, finding.message) == ("violated", False, message)
        assert shown(kept, finding) == ["record"]

    def test_what_is_expected_of_one_kind_excuses_no_other(self, case):
        expects = [Expect("violated", "*premature", "record")]
        kept = case(healthy().with_value({"lines": list("1133")}, f="record"), expects=expects)
        assert objections(kept) == [("record", "epochs lost", "violated"), ("record", "epochs doubled", "violated")]

    def test_an_epoch_that_was_cut_off_may_not_be_recorded(self, case):
        premature = raised().with_value({"lines": ["0", "1"]}, f="record")
        assert (
            found(case(premature, RAISES), "record", "epochs premature").message
            == "epoch 1 is recorded, and not complete"
        )

    def test_an_epoch_whose_validation_was_cut_off_is_not_complete(self, case):
        premature = raised_in_validation().with_value({"lines": ["0", "1"]}, f="record")
        finding = found(case(premature, RAISES_IN_VALIDATION), "record", "epochs premature")
        assert finding.message == "epoch 1 is recorded, and not complete"

    def test_an_epoch_with_a_batch_too_many_is_not_complete(self, case):
        extra = Operations({**each, "batch": 2} for each in step("train", 1, 1))
        more = healthy().preceded_by(extra, f="on_validation_epoch_start", epoch=1)
        assert found(case(more), "record", "epochs premature").message == "epoch 1 is recorded, and not complete"

    def test_an_epoch_that_training_failed_at_the_end_of_may_be_missing(self, case):
        kept = raised_in_a_callback().with_value({"lines": ["0"]}, f="record")
        assert verdicts(case(kept, CALLBACK_RAISES), "record") == FINE_RECORD

    def test_one_before_that_may_not(self, case):
        kept = raised_in_a_callback().with_value({"lines": ["1"]}, f="record")
        finding = found(case(kept, CALLBACK_RAISES), "record", "epochs lost")
        assert finding.message == "epoch 0 is complete, and not recorded"

    def test_lines_that_are_of_no_epoch_are_no_matter(self, case):
        kept = healthy().with_value({"lines": ["begun", "0", "1", "2"]}, f="record")
        record = Record("epochs", lambda line: int(line) if line.isdigit() else None)
        assert verdicts(case(kept, record=record), "record") == FINE_RECORD

    def test_a_file_that_nobody_looked_at_is_unknown(self, case):
        finding = found(case(healthy().without(f="record")), "record", "epochs lost")
        assert (finding.verdict, finding.message) == ("unknown", "nobody looked at it")

    def test_a_scenario_that_keeps_none_is_not_judged(self, case):
        assert verdicts(case(healthy(), record=None), "record") == {}


class TestProcess:
    @pytest.mark.parametrize(
        ("exit", "message"),
        [
            ({"status": -15}, "killed by signal 15, in the train step of batch 1, epoch 1"),
            ({"status": -9, "timed_out": True}, None),
            ({"status": 3}, "left with exit status 3 before the trial was over, in the train step of batch 1, epoch 1"),
            ({"status": -9, "left_behind": 1}, "left 1 processes running"),
            ({"status": -9, "leftovers": ["/dev/shm/a", "/tmp/b"]}, "left 2 files behind"),
            ({"status": None}, "took the process that supervised it down with it"),
        ],
        ids=["another signal", "the fault's signal", "a status", "a process left", "files left", "its parent"],
    )
    def test_one_that_was_to_die_must_die_just_so(self, case, exit, message):
        died = case(killed().with_value(ended(**exit), f="exit"), KILLED)
        finding = found(died, "process", "exit")
        verdict = "violated" if message else "ok"
        assert (finding.verdict, finding.as_expected, finding.message) == (verdict, not message, message or "")

    def test_one_that_was_to_die_and_went_on_is_told(self, case):
        went_on = [*step("train", 1, 1)[1:], *validation(1), *end_of_epoch(1), *an_epoch(2), *through(), *completed()]
        finding = found(case(Operations([*until_batch_1(KILLED), *went_on]), KILLED), "process", "exit")
        assert (finding.verdict, finding.as_expected) == ("violated", False)
        assert finding.message == "ended by itself, and was to with status -9"

    def test_one_that_did_not_end_is_told_though_its_fault_was_to_hang(self, case):
        finding = found(case(hung(), HANGS), "process", "exit")
        assert (finding.verdict, finding.as_expected) == ("violated", True)
        assert finding.message == "did not end within 60.0 s, after the train step of batch 0, epoch 1"

    def test_one_that_ended_though_its_fault_was_to_hang_is_told(self, case):
        over = Operations([*hung().until(f="record"), *failed("TimeoutError", "no batch", [0])])
        assert ("process", "exit", "ok") in objections(case(over, HANGS))

    @pytest.mark.parametrize(
        "exit",
        [
            {"status": -11},
            {"status": -9, "timed_out": True, "left_behind": 3},
            {"status": -9, "timed_out": True, "leftovers": ["/dev/shm/a"]},
        ],
        ids=str,
    )
    def test_where_it_is_to_hang_nothing_else_may_happen_to_it(self, case, exit):
        finding = found(case(hung().with_value(ended(**exit), f="exit"), HANGS), "process", "exit")
        assert (finding.verdict, finding.as_expected) == ("violated", False)

    def test_one_that_hangs_after_the_trial_is_over_is_told_though_its_fault_was_to_hang(self, case):
        over = hung().preceded_by(completed()[:1], f="record")
        assert ("process", "exit", "violated") in objections(case(over, HANGS))

    @pytest.mark.parametrize(
        "exit",
        [{"status": -9, "timed_out": True}, {"status": -11}, {"left_behind": 2}, {"leftovers": ["/dev/shm/a"]}],
        ids=str,
    )
    def test_where_training_is_to_raise_nothing_else_may_happen_to_it(self, case, exit):
        killed_then = case(raised().with_value(ended(**exit), f="exit"), RAISES)
        finding = found(killed_then, "process", "exit")
        assert (finding.verdict, finding.as_expected) == ("violated", False)
