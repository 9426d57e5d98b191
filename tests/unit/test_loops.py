"""The executable model of a training loop: written out as Lightning documents it, and cut where a fault cuts it."""

import signal
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from plans import EPOCHS, in_step, planned, words

from harness.environment import Environment
from harness.faults.fault import KINDS, Fault
from harness.faults.library import SCHEDULES, unheeded
from harness.oracle.lightning_loop import LightningLoop, rules
from harness.oracle.loops import Event, Expected, Owner, Plan

LATEST, OLDEST = "2.6.6", "1.9.5"
OF_EPOCHS = (
    "on_train_epoch_start", "on_train_batch_start", "on_train_batch_end", "on_validation_start",
    "on_validation_epoch_start", "on_validation_epoch_end", "on_validation_end", "on_train_epoch_end",
)  # fmt: skip
OF_TRAININGS = ("setup", "on_fit_start", "on_train_start", "on_train_end", "on_fit_end", "teardown")
LOG = Owner("Log", "callback", (*OF_TRAININGS, *OF_EPOCHS, "on_exception"))
STOPPING = Owner("Stopping", "monitor", ("on_validation_end", "on_train_epoch_end"))
SAVING = Owner("Saving", "checkpoint", ("on_train_epoch_end", "on_exception"))
MODULE = Owner("", "module", ("on_train_epoch_end", "on_validation_epoch_end", "on_fit_end"))
LOGGER = Owner("Logger", "logger", ("finalize",))
OWNERS = (LOG, STOPPING, SAVING, MODULE, LOGGER)

PLAN = planned(3, 2, OWNERS)

START = ["Log.setup", "Log.on_fit_start", "Log.on_train_start"]
END = [
    "Log.on_train_end", "Log.on_fit_end", "on_fit_end", "Log.teardown", "Logger.finalize",
]  # fmt: skip
TOLD = ["Log.on_exception", "Saving.on_exception", "Logger.finalize"]  # of an exception


def training_step(batch: int) -> list[str]:
    return ["Log.on_train_batch_start", f"the train step of batch {batch}", "Log.on_train_batch_end"]


VALIDATION = [
    "Log.on_validation_start", "Log.on_validation_epoch_start",
    "the validation step of batch 0", "the validation step of batch 1",
    "Log.on_validation_epoch_end", "on_validation_epoch_end",
    "Log.on_validation_end", "Stopping.on_validation_end",
]  # fmt: skip
END_OF_EPOCH = {
    version: [f"{owner}on_train_epoch_end" for owner in owners]
    for version, owners in (
        (LATEST, ["Log.", "", "Stopping.", "Saving."]),
        (OLDEST, ["Log.", "Stopping.", "Saving.", ""]),
    )
}


def epoch(version: str = LATEST) -> list[str]:
    """Its hooks and steps, in full."""
    steps = [event for batch in range(3) for event in training_step(batch)]
    return ["Log.on_train_epoch_start", *steps, *VALIDATION, *END_OF_EPOCH[version]]


EPOCH = epoch()


def until(event: str, events: list[str] = EPOCH) -> list[str]:
    """Up to an event, and with it."""
    return events[: events.index(event) + 1]


def expected(*faults: Fault, version: str = LATEST, plan: Plan = PLAN) -> Expected:
    environment = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": version}})
    return LightningLoop(replace(plan, faults=faults), rules(environment.meets)).expected()


def seen(*faults: Fault, **more: object) -> list[str]:
    return words(expected(*faults, **more).events)


class TestWithoutFault:
    @pytest.mark.parametrize("version", [LATEST, OLDEST])
    def test_all_events_are_those_that_are_documented(self, version):
        assert seen(version=version) == [*START, *(epoch(version) * EPOCHS), *END]

    def test_those_of_an_epoch_belong_to_it_and_to_a_stage(self):
        events = expected().events
        assert Event("batch", "train", 2, 1) in events
        assert Event("on_validation_epoch_end", "validation", 1) in events
        assert Event("Stopping.on_train_epoch_end", "train", 0) in events
        assert Event("Log.on_fit_end") in events

    def test_it_completes(self):
        assert (expected().ending.how, expected().reached) == ("completes", ())

    def test_a_module_that_does_not_validate_has_no_validation(self):
        plan = planned(1, 0, (MODULE,), epochs=1)
        assert seen(plan=plan) == ["the train step of batch 0", "on_train_epoch_end", "on_fit_end"]

    def test_it_validates_every_so_many_epochs(self):
        plan = planned(3, 2, (MODULE,), epochs=4, validate_every=2)
        validated = [event.epoch for event in expected(plan=plan).events if event.f == "on_validation_epoch_end"]
        assert validated == [1, 3]

    def test_it_validates_after_so_many_batches(self):
        plan = planned(4, 1, (), epochs=1, validate_after=0.5)
        assert [(event.stage, event.batch) for event in expected(plan=plan).events] == [
            ("train", 0), ("train", 1), ("validation", 0), ("train", 2), ("train", 3), ("validation", 0),
        ]  # fmt: skip

    def test_early_stopping_that_has_seen_no_figure_ends_the_training(self):
        """Validation comes too late for it."""
        plan = planned(3, 2, OWNERS, epochs=4, validate_every=2)
        assert expected(plan=plan).ending.exceptions == ("RuntimeError",)


CUT_IN_STEP = [*START, *EPOCH, *until("the train step of batch 1")]
CUT_IN_VALIDATION = [*START, *EPOCH, *until("the validation step of batch 0")]
IN_VALIDATION = {"stage": "validation", "batch": 0}


class TestWhatRaises:
    @pytest.mark.parametrize("version", [LATEST, OLDEST])
    @pytest.mark.parametrize(
        ("kind", "exceptions"),
        [("exception", ("InjectedError",)), ("out_of_memory", ("OutOfMemoryError",)), ("labels_raise", ())],
    )
    def test_in_a_step_it_ends_the_training_there(self, kind, exceptions, version):
        ends = expected(in_step(kind), version=version)
        assert words(ends.events) == [*START, *epoch(version), *until("the train step of batch 1"), *TOLD]
        assert (ends.ending.how, ends.ending.exceptions, ends.ending.unchanged) == ("raises", exceptions, True)

    def test_in_a_validation_step_it_ends_the_training_there(self):
        assert seen(in_step("exception", **IN_VALIDATION)) == [*CUT_IN_VALIDATION, *TOLD]

    @pytest.mark.parametrize("kind", ["getitem_raises", "worker_killed"])
    def test_in_a_loader_it_comes_before_the_step_begins(self, kind):
        """A worker has the batch after that in preparation, and is killed while it prepares batch 2."""
        ends = expected(in_step(kind, "loader", 2 if kind == "worker_killed" else 1))
        assert words(ends.events) == [*START, *EPOCH, "Log.on_train_epoch_start", *training_step(0), *TOLD]
        assert ends.ending.how == "raises"

    def test_a_batch_of_another_shape_fails_in_its_step(self):
        assert seen(in_step("batch_changes_shape", "loader")) == [*CUT_IN_STEP, *TOLD]

    def test_a_callback_before_the_others_leaves_them_silent(self):
        assert seen(Fault("callback", "raises_before")) == [*START, *EPOCH, *EPOCH[: -len(END_OF_EPOCH[LATEST])], *TOLD]

    @pytest.mark.parametrize("version", [LATEST, OLDEST])
    def test_a_callback_after_the_others_leaves_the_module_silent(self, version):
        """In 1.9, early stopping is one of the others."""
        before = until(END_OF_EPOCH[version][0 if version == LATEST else 1], epoch(version))
        assert seen(Fault("callback", "raises_after"), version=version) == [*START, *epoch(version), *before, *TOLD]

    def test_a_callback_in_validation_leaves_the_training_epoch_without_end(self):
        assert seen(Fault("callback", "raises_before", "validation")) == [
            *START, *EPOCH, *until("the validation step of batch 1"), *TOLD,
        ]  # fmt: skip

    def test_a_logger_is_told_after_the_hooks_that_end_an_epoch(self):
        assert seen(Fault("callback", "logger_raises")) == [*START, *EPOCH, *EPOCH, *TOLD]

    def test_a_logger_is_told_of_a_validation_before_it_ends(self):
        cut = until("on_validation_epoch_end")
        assert seen(Fault("callback", "logger_raises", "validation")) == [*START, *EPOCH, *cut, *TOLD]

    @pytest.mark.parametrize("kind", ["checkpoint_no_space", "checkpoint_read_only"])
    def test_a_checkpoint_is_written_when_training_epochs_end(self, kind):
        cut = until("Saving.on_train_epoch_end")
        assert seen(Fault("callback", kind)) == [*START, *EPOCH, *cut, *TOLD]

    def test_the_first_of_two_ends_the_training(self):
        first, second = Fault("callback", "raises_before"), Fault("callback", "raises_after")
        assert expected(first, second).reached == (first,)


class TestSignalsAndWaysToLeave:
    def test_an_interrupt_ends_the_process_in_order(self):
        ends = expected(in_step("interrupt", "process"))
        assert words(ends.events) == [*CUT_IN_STEP, *TOLD]
        assert (ends.ending.how, ends.ending.exceptions, ends.ending.unchanged) == ("raises", ("SystemExit",), False)

    def test_in_1_9_fit_returns_from_an_interrupt(self):
        ends = expected(in_step("interrupt", "process"), version=OLDEST)
        assert (words(ends.events)[-3:], ends.ending.how) == (TOLD, "completes")

    def test_a_second_interrupt_is_ignored(self):
        once, twice = in_step("interrupt", "process"), in_step("interrupt_twice", "process")
        assert (expected(twice).events, expected(twice).ending) == (expected(once).events, expected(once).ending)

    def test_in_1_9_a_second_interrupt_keeps_callbacks_from_being_told(self):
        ends = expected(in_step("interrupt_twice", "process"), version=OLDEST)
        assert words(ends.events)[-1] == "the train step of batch 1"
        assert (ends.ending.how, ends.ending.exceptions) == ("raises", ("KeyboardInterrupt",))

    def test_sigterm_ends_the_training_after_the_batch(self):
        ends = expected(in_step("terminate", "process"))
        assert words(ends.events) == [*CUT_IN_STEP, "Log.on_train_batch_end", *TOLD]
        assert (ends.ending.how, ends.ending.exceptions) == ("raises", ("SIGTERMException",))

    def test_sigterm_in_the_last_batch_ends_it_in_validation(self):
        cut = until("the validation step of batch 0")
        assert seen(in_step("terminate", "process", batch=2)) == [*START, *EPOCH, *cut, *TOLD]

    def test_sigterm_in_validation_ends_it_after_the_batch(self):
        assert seen(in_step("terminate", "process", **IN_VALIDATION)) == [*CUT_IN_VALIDATION, *TOLD]

    def test_in_1_9_sigterm_kills(self):
        ends = expected(in_step("terminate", "process"), version=OLDEST)
        assert words(ends.events)[-1] == "the train step of batch 1"
        assert (ends.ending.how, ends.ending.status) == ("dies", -signal.SIGTERM)

    @pytest.mark.parametrize(("kind", "status"), [("kill", -signal.SIGKILL), ("os_exit", 3)])
    def test_a_process_that_dies_does_nothing_more(self, kind, status):
        ends = expected(in_step(kind, "process"))
        assert words(ends.events) == CUT_IN_STEP
        assert (ends.ending.how, ends.ending.status) == ("dies", status)

    def test_sys_exit_is_an_exception_as_any_other(self):
        ends = expected(in_step("sys_exit", "process"))
        assert words(ends.events) == [*CUT_IN_STEP, *TOLD]
        assert (ends.ending.exceptions, ends.ending.unchanged) == (("SystemExit",), True)

    def test_a_thread_that_is_alive_keeps_training_from_nothing(self):
        assert expected(Fault("process", "threads_alive")).events == expected().events


class TestWhatStops:
    @pytest.mark.parametrize("kind", ["stop_requested", "max_time"])
    def test_the_epoch_ends_in_order_and_is_the_last(self, kind):
        """What is left of its batches is left out, and it is validated."""
        epoch_1 = [*until("Log.on_train_batch_end"), *training_step(1), *VALIDATION, *END_OF_EPOCH[LATEST]]
        ends = expected(in_step(kind, "process"))
        assert words(ends.events) == [*START, *EPOCH, *epoch_1, *END]
        assert ends.ending.how == "completes"

    def test_early_stopping_ends_it_after_the_epoch(self):
        assert seen(Fault("process", "early_stopping")) == [*START, *EPOCH, *EPOCH, *END]

    @pytest.mark.parametrize(
        "fault",
        [
            in_step("nan_loss"),
            in_step("corrupt_sample", "loader"),
            in_step("corrupt_sample", "loader", **IN_VALIDATION),
        ],
        ids=["in the loss", "in training", "in validation"],
    )
    def test_nan_stops_early_stopping(self, fault):
        assert seen(fault) == [*START, *EPOCH, *EPOCH, *END]

    def test_nan_stops_nothing_where_nobody_monitors(self):
        plan = planned(3, 2, (LOG, MODULE, LOGGER))
        assert seen(in_step("nan_loss"), plan=plan) == seen(plan=plan)


class TestLoaders:
    def test_one_that_runs_dry_ends_the_epoch_without_validation(self):
        epoch_1 = ["Log.on_train_epoch_start", *training_step(0), *END_OF_EPOCH[LATEST]]
        assert seen(in_step("runs_dry", "loader")) == [*START, *EPOCH, *epoch_1, *EPOCH, *END]

    def test_one_that_is_empty_ends_the_epoch_too(self):
        epoch_1 = ["Log.on_train_epoch_start", *END_OF_EPOCH[LATEST]]
        assert seen(in_step("runs_dry", "loader", 0)) == [*START, *EPOCH, *epoch_1, *EPOCH, *END]

    def test_a_validation_that_runs_dry_ends(self):
        epoch_1 = [event for event in EPOCH if event != "the validation step of batch 1"]
        fault = in_step("runs_dry", "loader", stage="validation")
        assert seen(fault) == [*START, *EPOCH, *epoch_1, *EPOCH, *END]

    def test_one_that_hangs_is_waited_for(self):
        ends = expected(in_step("hangs", "loader"))
        assert words(ends.events) == [*START, *EPOCH, "Log.on_train_epoch_start", *training_step(0)]
        assert (ends.ending.how, ends.ending.foreseen) == ("hangs", True)

    def test_one_that_never_ends_is_gone_through_as_long_as_it_gives(self):
        ends = expected(Fault("loader", "never_ends"))
        assert ends.ending.how == "hangs"
        assert [event.batch for event in ends.events if (event.f, event.epoch) == ("batch", 1)] == list(range(18))

    def test_one_that_gives_less_than_it_says_is_not_validated_after(self):
        """Lightning waits for the last batch that there was to be, and early stopping for its figure."""
        ends = expected(Fault("loader", "length_too_long", epoch=0))
        without = [event for event in EPOCH if event not in VALIDATION]
        assert words(ends.events) == [*START, *until("Stopping.on_train_epoch_end", without), *TOLD]
        assert ends.ending.exceptions == ("RuntimeError",)

    def test_one_that_says_less_than_it_has_is_left_early(self):
        epoch_of_two = ["Log.on_train_epoch_start", *training_step(0), *training_step(1), *VALIDATION]
        epoch_of_two += END_OF_EPOCH[LATEST]
        fault = Fault("loader", "length_too_short", epoch=0)
        assert seen(fault) == [*START, *epoch_of_two * EPOCHS, *END]

    def test_a_step_without_a_loss_is_a_step(self):
        assert seen(in_step("returns_none")) == seen()

    def test_an_epoch_without_any_has_nothing_to_save(self):
        """A checkpoint is written where there were steps of the optimiser since the one before."""
        no_loss = in_step("returns_none", batch=None)
        full_disk = Fault("callback", "checkpoint_no_space")
        assert expected(no_loss, full_disk).ending.how == "completes"

    def test_labels_that_broadcast_go_unnoticed(self):
        assert seen(in_step("labels_broadcast")) == seen()


class TestRanks:
    @pytest.mark.parametrize(
        ("kind", "exception"),
        [("rank_raises", "ProcessRaisedException"), ("rank_killed", "ProcessExitedException")],
    )
    def test_what_befalls_another_is_told_by_who_started_it(self, kind, exception):
        ends = expected(in_step(kind, "strategy", rank=1))
        assert (ends.ending.exceptions, ends.ending.unchanged, ends.ending.foreseen) == ((exception,), True, False)


# What changes neither the events nor the end: figures of the epoch tell it, or the process does.
UNSEEN = (
    "step.labels_broadcast*", "step.returns_none*", "process.threads_alive",
    "loader.length_too_long.validation",  # there, Lightning goes by the batches that it gets
)  # fmt: skip


@pytest.mark.parametrize("version", [LATEST, OLDEST])
@pytest.mark.parametrize(
    "name", [name for name, schedule in SCHEDULES.items() if schedule and not unheeded(schedule, "lightning", 2)]
)
def test_every_fault_is_reached_and_has_an_effect(name, version):
    schedule = SCHEDULES[name]
    ends = expected(*schedule, version=version)
    assert ends.reached[0] == schedule[0]
    without = expected(version=version)
    unlike = (ends.events, ends.ending) != (without.events, without.ending)
    assert unlike == (not any(fnmatchcase(name, glob) for glob in UNSEEN))


def test_every_kind_of_lightning_is_scheduled():
    kinds = {(fault.family, fault.kind) for schedule in SCHEDULES.values() for fault in schedule}
    assert {kind for kind, rules in KINDS.items() if "lightning" in rules.frameworks} <= kinds
