"""What was chosen to be done is done: where a validation failed for good, and where validation is slower."""

import pytest
from mishaps import BATCH, FORKED, Mishap
from trying import ALWAYS, reasons, statuses, tried

KILLED_TWICE = Mishap(BATCH, "kill", 1, times=2)
RAISED = Mishap(BATCH, "raise", 1)


def test_worker_that_dies_once_more_than_is_put_up_with(observer):
    seen = tried(observer, KILLED_TWICE)
    how = "its worker was killed by SIGKILL, 2 times"
    assert seen.raised == f"ValidationFailed: validation of epoch 1 failed: {how}"
    assert reasons(seen)[1] == how


def test_worker_that_may_not_die(observer):
    seen = tried(observer, Mishap(BATCH, "kill", 0), options={"retries": 0, "on_failure": "continue"})
    assert statuses(seen) == ["failed", "ok", "ok", "ok"]


def test_validation_that_raises(observer):
    seen = tried(observer, RAISED)
    assert seen.raised.startswith("ValidationFailed: validation of epoch 1 failed: Traceback")
    assert seen.raised.endswith("mishaps.Planned: raise\n")


@pytest.mark.parametrize("mishap", [KILLED_TWICE, RAISED])
@pytest.mark.parametrize("workers", [1, 2])
def test_sequential_from_then_on(observer, mishap, workers):
    seen = tried(observer, mishap, options={"on_failure": "sequential", "workers": workers})
    assert statuses(seen) == ["ok"] * 4
    assert seen.one("children") == 0


def test_sequential_where_no_worker_starts(observer):
    seen = tried(observer, Mishap("starting", "kill", times=2), options={"on_failure": "sequential"})
    assert statuses(seen) == ["ok"] * 4


@pytest.mark.parametrize("mishap", [KILLED_TWICE, RAISED])
@pytest.mark.parametrize("workers", [1, 2])
def test_continues_without_the_figures(observer, mishap, workers):
    seen = tried(observer, mishap, options={"on_failure": "continue", "workers": workers})
    assert statuses(seen) == ["ok", "failed", "ok", "ok"]


def test_continues_without_any_figure(observer):
    seen = tried(observer, Mishap(BATCH, "raise", times=ALWAYS), options={"on_failure": "continue"})
    assert statuses(seen) == ["failed"] * 4


@pytest.mark.parametrize("workers", [1, 2])
def test_epochs_that_are_skipped(observer, workers):
    seen = tried(observer, gated="end", epochs=workers + 3, options={"when_slower": "skip", "workers": workers})
    assert statuses(seen) == ["ok"] * (workers + 1) + ["skipped"] * 2
    assert set(reasons(seen).values()) == {"all workers were busy"}


def test_epochs_that_later_ones_take_the_place_of(observer):
    seen = tried(observer, gated="end", epochs=5, options={"when_slower": "latest"})
    assert statuses(seen) == ["ok", "skipped", "skipped", "skipped", "ok"]
    assert set(reasons(seen).values()) == {"a later epoch took its place"}


def test_training_that_waits(observer):
    assert statuses(tried(observer, gated="wait", epochs=5)) == ["ok"] * 5


def test_interrupted_while_a_worker_starts(observer):
    seen = tried(observer, Mishap(FORKED, "interrupt"))
    assert seen.one("children") == 0
    assert seen.all("end")
