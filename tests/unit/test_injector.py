"""When faults are due, that they are noted, and what those do that are the same in every framework."""

import errno
import json
import os
import signal
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from harness.faults import checkpoint, loader
from harness.faults.fault import Fault, InjectedError
from harness.faults.injector import Injector
from harness.faults.loader import EXTRA_PASSES, faulty_pass, told_length
from harness.faults.step import relabelled, throw
from harness.history.recorder import Recorder

RAISES = Fault("step", "exception", batch=2)
NAN_LOSS = Fault("step", "nan_loss")  # at every batch
BEFORE = Fault("callback", "raises_before")
AFTER = Fault("callback", "raises_after")


@pytest.fixture
def noted(tmp_path):
    """An injector of faults, and what it has noted so far."""

    class Noted:
        def inject(self, *faults, fired=()):
            self.recorder = Recorder(tmp_path / "history.jsonl")
            return Injector(faults, self.recorder, fired)

        def lines(self):
            text = (tmp_path / "history.jsonl").read_text()
            return [json.loads(line) for line in text.splitlines()]

    made = Noted()
    yield made
    made.recorder.close()


class TestWhenItIsDue:
    @pytest.mark.parametrize(
        "place",
        [("loss", "train", 1, 2), ("step", "validation", 1, 2), ("step", "train", 0, 2), ("step", "train", 1, 1),
         ("step", None, None, None)],
        ids=["another moment", "another stage", "another epoch", "another batch", "nowhere"],
    )  # fmt: skip
    def test_only_at_its_place(self, place):
        injector = Injector([RAISES], None)
        assert injector.due(*place) == []
        assert injector.due("step", "train", 1, 2) == [RAISES]

    def test_only_on_its_rank(self):
        injector = Injector([replace(RAISES, rank=1)], None)
        assert injector.due("step", "train", 1, 2) == []
        injector.rank = 1
        assert len(injector.due("step", "train", 1, 2)) == 1

    def test_only_of_the_kinds_that_are_asked_for(self):
        injector = Injector([BEFORE, AFTER], None)
        assert injector.due("hook", "train", 1, kinds=[AFTER.name]) == [AFTER]
        assert injector.due("hook", "train", 1) == [BEFORE, AFTER]

    def test_no_more_once_it_has_fired(self):
        injector = Injector([RAISES, replace(RAISES, batch=3)], None)
        injector.fire(RAISES, 2)
        assert injector.due("step", "train", 1, 2) == []
        assert len(injector.due("step", "train", 1, 3)) == 1

    def test_one_of_every_batch_at_each(self):
        injector = Injector([NAN_LOSS], None)
        for batch in range(3):
            assert injector.due("loss", "train", 1, batch) == [NAN_LOSS]
            injector.fire(NAN_LOSS, batch)

    def test_one_of_an_epoch_once(self):
        injector = Injector([BEFORE], None)
        injector.fire(BEFORE)
        assert injector.due("hook", "train", 1) == []

    def test_not_if_it_fired_in_a_process_before_this_one(self):
        injector = Injector([RAISES, BEFORE], None, fired=[RAISES])
        assert (injector.due("step", "train", 1, 2), injector.due("hook", "train", 1)) == ([], [BEFORE])

    def test_one_that_is_still_to_come_is_planned(self):
        injector = Injector([RAISES], None)
        assert injector.plans(RAISES.name)
        assert injector.plans(RAISES.name, "train")
        assert not injector.plans(RAISES.name, "validation")
        assert not injector.plans(BEFORE.name)
        injector.fire(RAISES, 2)
        assert not injector.plans(RAISES.name)


class TestWhatIsNoted:
    def test_that_it_fires_and_where(self, noted):
        noted.inject(RAISES).fire(RAISES, 2, "what it does", step=7)
        (line,) = noted.lines()
        kept = {key: line[key] for key in ("f", "type", "fault", "stage", "epoch", "batch", "step", "value")}
        assert kept == {
            "f": "fault", "type": "info", "fault": "step.exception", "stage": "train", "epoch": 1, "batch": 2,
            "step": 7, "value": "what it does",
        }  # fmt: skip

    def test_an_exception_before_it_is_raised(self, noted):
        with pytest.raises(InjectedError, match=r"^step\.exception in train, epoch 1$"):
            throw(noted.inject(RAISES), RAISES, 2)
        assert noted.lines()[0]["value"] == {"exception": "InjectedError", "message": RAISES.message}


class TestLoaders:
    BATCHES = ("a", "b", "c")

    def went_over(self, injector, strike=lambda *_: None):
        return faulty_pass(self.BATCHES, injector, "train", 1, strike)

    def test_a_pass_without_a_fault_gives_all(self):
        assert list(self.went_over(Injector([], None))) == [*self.BATCHES]

    def test_one_that_is_aimed_at_another_stage_changes_nothing(self):
        dry = Fault("loader", "runs_dry", "validation", batch=1)
        assert list(self.went_over(Injector([dry], None))) == [*self.BATCHES]

    @pytest.mark.parametrize("batch", [0, 1])
    def test_one_that_runs_dry_gives_those_before(self, noted, batch):
        assert list(self.went_over(noted.inject(Fault("loader", "runs_dry", batch=batch)))) == [*self.BATCHES[:batch]]
        assert [line["batch"] for line in noted.lines()] == [batch]

    def test_one_that_the_framework_has_a_part_in_strikes_before_its_batch_is_given(self):
        struck = []
        fault = Fault("loader", "corrupt_sample", batch=1)
        going = self.went_over(Injector([fault], None), lambda *of: struck.append(of))
        assert (next(going), struck) == ("a", [])
        assert (next(going), struck) == ("b", [(fault, 1)])

    def test_what_a_sample_will_raise_is_noted(self, noted):
        fault = Fault("loader", "getitem_raises", batch=1)
        list(self.went_over(noted.inject(fault)))
        assert noted.lines()[0]["value"] == {"exception": "InjectedError", "message": fault.message}

    def test_one_that_hangs_waits_and_gives_no_more(self, monkeypatch):
        def block():
            raise TimeoutError

        monkeypatch.setattr(loader, "block", block)
        going = self.went_over(Injector([Fault("loader", "hangs", batch=1)], None))
        assert next(going) == "a"
        with pytest.raises(TimeoutError):
            next(going)

    def test_one_that_never_ends_gives_all_over_again_and_then_waits(self, monkeypatch):
        waited = []
        monkeypatch.setattr(loader, "block", lambda: waited.append(True))
        going = self.went_over(Injector([Fault("loader", "never_ends")], None))
        assert list(islice(going, 3 * (1 + EXTRA_PASSES))) == [*self.BATCHES] * (1 + EXTRA_PASSES)
        assert waited == []
        assert (list(going), waited) == ([], [True])

    @pytest.mark.parametrize(("kind", "says"), [("length_too_long", 5), ("length_too_short", 2)])
    def test_one_says_that_it_has_more_or_less(self, noted, kind, says):
        assert told_length(3, noted.inject(Fault("loader", kind, epoch=0)), "train") == says
        assert noted.lines()[0]["value"] == {"says": says, "has": 3}

    def test_by_how_much_may_be_said(self):
        fault = Fault("loader", "length_too_long", epoch=0, parameters={"by": 7})
        assert told_length(3, Injector([fault], None), "train") == 10

    def test_one_that_never_ends_cannot_say(self):
        injector = Injector([Fault("loader", "never_ends")], None)
        assert (told_length(3, injector, "train"), told_length(3, injector, "validation")) == (None, 3)


class TestLabels:
    BATCH = (np.zeros((4, 2)), np.arange(4.0)[:, None])

    def test_those_that_no_loss_takes_are_one_fewer(self):
        features, targets = relabelled(Fault("step", "labels_raise", batch=0), self.BATCH, broadcast=None)
        assert (features.shape, targets.shape) == ((4, 2), (3, 1))

    def test_those_that_broadcast_are_as_the_framework_makes_them(self):
        fault = Fault("step", "labels_broadcast", batch=0)
        features, targets = relabelled(fault, self.BATCH, broadcast=lambda targets: targets[:, 0])
        assert (features.shape, targets.shape) == ((4, 2), (4,))


class TestCheckpoints:
    def write(self, path):
        with open(path, "wb", buffering=0) as file:
            for _ in range(4):
                file.write(b"x" * 400)

    def test_where_there_is_no_space_a_part_is_written(self, tmp_path):
        path = tmp_path / "checkpoint"
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            checkpoint.save(Fault("callback", "checkpoint_no_space"), self.write, str(path))
        assert path.stat().st_size == checkpoint.SPACE

    def test_there_is_space_again_afterwards(self, tmp_path):
        handler = signal.getsignal(signal.SIGXFSZ)
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            checkpoint.save(Fault("callback", "checkpoint_no_space"), self.write, str(tmp_path / "checkpoint"))
        self.write(tmp_path / "another")
        assert (tmp_path / "another").stat().st_size == 1600
        assert signal.getsignal(signal.SIGXFSZ) is handler

    def test_where_it_is_read_only_nothing_is_written(self, tmp_path):
        with pytest.raises(OSError, match=checkpoint.NOWHERE):
            checkpoint.save(Fault("callback", "checkpoint_read_only"), self.write, str(tmp_path / "checkpoint"))
        assert os.listdir(tmp_path) == []


def test_a_wait_that_is_interrupted_leaves_no_alarm(monkeypatch):
    def interrupted(event):
        raise KeyboardInterrupt

    monkeypatch.setattr("threading.Event.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loader.block()
    assert signal.alarm(0) == 0
