"""The model of Keras's `fit`: written out as its callbacks are documented, and cut where a fault cuts it."""

import signal
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from plans import EPOCHS, in_step, planned, words

from harness.faults.fault import KINDS, Fault
from harness.faults.library import SCHEDULES, unheeded
from harness.oracle.keras_loop import KerasLoop
from harness.oracle.loops import Event, Expected, Owner, Plan

LOG = Owner(
    "Log", "callback",
    (
        "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin",
        "on_train_batch_end", "on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end",
    ),
)  # fmt: skip
STOPPING = Owner("Stopping", "monitor", ("on_epoch_end", "on_train_end"))
SAVING = Owner("Saving", "checkpoint", ("on_epoch_end",))
PLAN = planned(3, 2, (LOG, STOPPING, SAVING))


def step(batch: int, stage: str = "train") -> list[str]:
    hook = "train" if stage == "train" else "test"
    return [f"Log.on_{hook}_batch_begin", f"the {stage} step of batch {batch}", f"Log.on_{hook}_batch_end"]


VALIDATION = ["Log.on_test_begin", *step(0, "validation"), *step(1, "validation"), "Log.on_test_end"]
END_OF_EPOCH = ["Log.on_epoch_end", "Stopping.on_epoch_end", "Saving.on_epoch_end"]
START = ["Log.on_train_begin"]
EPOCH = ["Log.on_epoch_begin", *step(0), *step(1), *step(2), *VALIDATION, *END_OF_EPOCH]
END = ["Log.on_train_end", "Stopping.on_train_end"]


def expected(*faults: Fault, plan: Plan = PLAN) -> Expected:
    return KerasLoop(replace(plan, faults=faults)).expected()


def seen(*faults: Fault, **more: Plan) -> list[str]:
    return words(expected(*faults, **more).events)


def until(event: str) -> list[str]:
    """Those of an epoch up to an event, and with it."""
    return EPOCH[: EPOCH.index(event) + 1]


BEFORE_STEP = [*START, *EPOCH, "Log.on_epoch_begin", *step(0)]  # the second of epoch 1
ASKED_FOR = [*BEFORE_STEP, "Log.on_train_batch_begin"]  # a batch begins before it is known to be there


class TestWithoutFault:
    def test_all_events_are_those_that_are_documented(self):
        assert seen() == [*START, *(EPOCH * EPOCHS), *END]
        assert expected().ending.how == "completes"

    def test_those_of_an_epoch_belong_to_it_and_to_a_stage(self):
        events = expected().events
        assert Event("batch", "validation", 2, 1) in events
        assert Event("Log.on_test_end", "validation", 1) in events
        assert Event("Saving.on_epoch_end", "train", 0) in events

    def test_a_fit_without_validation_has_none(self):
        assert seen(plan=planned(1, 0, (SAVING,), epochs=1)) == ["the train step of batch 0", "Saving.on_epoch_end"]

    def test_it_validates_every_so_many_epochs(self):
        plan = planned(1, 1, (LOG,), epochs=4, validate_every=2)
        assert [event.epoch for event in expected(plan=plan).events if event.f == "Log.on_test_end"] == [1, 3]


class TestWhatRaises:
    @pytest.mark.parametrize(
        ("kind", "exception", "unchanged"),
        [
            ("exception", "UnknownError", False),
            ("labels_raise", "InvalidArgumentError", True),
            ("out_of_memory", "ResourceExhaustedError", True),
        ],
    )
    def test_in_a_step_it_ends_the_training_there_with_tensorflows_exception(self, kind, exception, unchanged):
        ends = expected(in_step(kind))
        assert words(ends.events) == [*START, *EPOCH, *until("the train step of batch 1")]
        assert (ends.ending.how, ends.ending.exceptions, ends.ending.unchanged) == ("raises", (exception,), unchanged)

    def test_in_a_loader_it_comes_before_the_step_begins(self):
        ends = expected(in_step("getitem_raises", "loader"))
        assert words(ends.events) == ASKED_FOR
        assert ends.ending.exceptions == ("UnknownError",)

    @pytest.mark.parametrize(
        ("fault", "last"),
        [
            (Fault("callback", "raises_before"), "Log.on_test_end"),
            (Fault("callback", "raises_after"), "Saving.on_epoch_end"),
            (Fault("callback", "raises_before", "validation"), "Log.on_test_batch_end"),
            (Fault("callback", "raises_after", "validation"), "Log.on_test_end"),
            (Fault("callback", "checkpoint_no_space"), "Saving.on_epoch_end"),
        ],
        ids=lambda value: value if isinstance(value, str) else f"{value.name}.{value.stage}",
    )
    def test_a_callback_silences_those_after_it(self, fault, last):
        cut = len(EPOCH) - EPOCH[::-1].index(last)
        assert seen(fault) == [*START, *EPOCH, *EPOCH[:cut]]

    def test_what_a_scenario_refuses_ends_the_training(self):
        """It checks what Keras does not."""
        strict = replace(PLAN, refuses={"step.labels_broadcast": "ValueError"})
        ends = expected(in_step("labels_broadcast"), plan=strict)
        assert (ends.ending.how, ends.ending.exceptions) == ("raises", ("ValueError",))
        assert words(ends.events)[-1] == "the train step of batch 1"


class TestSignalsAndWaysToLeave:
    """They are dealt with before a step begins."""

    @pytest.mark.parametrize(
        ("kind", "exception"),
        [("interrupt", "KeyboardInterrupt"), ("interrupt_twice", "KeyboardInterrupt"), ("sys_exit", "SystemExit")],
    )
    def test_what_raises_reaches_the_caller_as_it_is(self, kind, exception):
        ends = expected(in_step(kind, "process"))
        assert words(ends.events) == BEFORE_STEP
        assert (ends.ending.exceptions, ends.ending.unchanged) == ((exception,), True)

    @pytest.mark.parametrize(
        ("kind", "status"), [("kill", -signal.SIGKILL), ("terminate", -signal.SIGTERM), ("os_exit", 3)]
    )
    def test_a_process_that_dies_does_nothing_more(self, kind, status):
        ends = expected(in_step(kind, "process"))
        assert words(ends.events) == BEFORE_STEP
        assert (ends.ending.how, ends.ending.status) == ("dies", status)


class TestWhatStops:
    def test_what_is_left_of_the_epoch_is_left_out_and_it_ends_in_order(self):
        epoch_1 = ["Log.on_epoch_begin", *step(0), *step(1), *VALIDATION, *END_OF_EPOCH]
        assert seen(in_step("stop_requested", "process")) == [*START, *EPOCH, *epoch_1, *END]

    def test_early_stopping_ends_it_after_the_epoch(self):
        assert seen(Fault("process", "early_stopping")) == [*START, *EPOCH, *EPOCH, *END]

    def test_early_stopping_ends_nothing_where_nobody_monitors(self):
        plan = planned(3, 2, (LOG, SAVING))
        assert seen(Fault("process", "early_stopping"), plan=plan) == seen(plan=plan)


class TestLoaders:
    def batches(self, *faults: Fault, stage: str = "train") -> list[list[int | None]]:
        """By epoch."""
        events = [event for event in expected(*faults).events if (event.f, event.stage) == ("batch", stage)]
        return [[event.batch for event in events if event.epoch == epoch] for epoch in range(EPOCHS)]

    def test_a_validation_that_runs_dry_ends(self):
        assert self.batches(in_step("runs_dry", "loader", stage="validation"), stage="validation") == [
            [0, 1], [0], [0, 1],
        ]  # fmt: skip

    def test_a_training_that_runs_dry_does_not_recover(self):
        """Its generator is not asked anew: it gives what Keras kept of it."""
        assert self.batches(in_step("runs_dry", "loader")) == [[0, 1, 2], [0], [0, 1]]

    def test_one_that_hangs_is_waited_for(self):
        ends = expected(in_step("hangs", "loader"))
        assert words(ends.events) == ASKED_FOR
        assert (ends.ending.how, ends.ending.foreseen) == ("hangs", True)

    def test_one_that_never_ends_is_held_to_one_batch_more_than_before(self):
        assert self.batches(Fault("loader", "never_ends"))[1] == [0, 1, 2, 3]

    def test_a_validation_that_never_ends_is_waited_for(self):
        assert expected(Fault("loader", "never_ends", "validation")).ending.how == "hangs"

    def test_one_that_gives_less_than_it_says_ends_the_training(self):
        ends = expected(Fault("loader", "length_too_long", epoch=0))
        all_there_is = until("the train step of batch 2")
        assert words(ends.events) == [*START, *all_there_is, "Log.on_train_batch_end", "Log.on_train_batch_begin"]
        assert ends.ending.exceptions == ("UnknownError",)

    def test_one_that_says_less_than_it_has_is_left_early(self):
        assert self.batches(Fault("loader", "length_too_short", epoch=0)) == [[0, 1]] * EPOCHS


# What changes neither the events nor the end: figures of the epoch tell it, or the process does.
UNSEEN = ("step.labels_broadcast*", "step.nan_loss", "loader.corrupt_sample*", "process.threads_alive")


@pytest.mark.parametrize(
    "name", [name for name, schedule in SCHEDULES.items() if schedule and not unheeded(schedule, "keras", 2)]
)
def test_every_fault_is_reached_and_has_an_effect(name):
    ends, without = expected(*SCHEDULES[name]), expected()
    assert ends.reached[0] == SCHEDULES[name][0]
    unlike = (ends.events, ends.ending) != (without.events, without.ending)
    assert unlike == (not any(fnmatchcase(name, glob) for glob in UNSEEN))


def test_every_kind_of_keras_is_scheduled():
    kinds = {(fault.family, fault.kind) for schedule in SCHEDULES.values() for fault in schedule}
    assert {kind for kind, rules in KINDS.items() if "keras" in rules.frameworks} <= kinds
