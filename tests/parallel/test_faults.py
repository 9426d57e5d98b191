"""Whatever goes wrong beside training: every epoch has one outcome, no figure is wrong, nothing hangs or is left."""

import pytest
from mishaps import BATCH, IDLE, LOGGING, SENDING, STARTING, TRAINING, Mishap
from trying import ALWAYS, died, reasons, statuses, tried


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("epoch", "batch"), [(None, 0), (0, 2), (3, 1)])
def test_worker_killed_in_a_batch(observer, workers, epoch, batch):
    seen = tried(observer, Mishap(BATCH, "kill", epoch, batch), options={"workers": workers})
    assert statuses(seen) == ["ok"] * 4
    assert died(seen) == ["was killed by SIGKILL"]


@pytest.mark.parametrize("where", [STARTING, IDLE, SENDING])
def test_worker_killed_elsewhere(observer, where):
    seen = tried(observer, Mishap(where, "kill"))
    assert statuses(seen) == ["ok"] * 4
    assert died(seen) == ["was killed by SIGKILL"]


def test_worker_killed_with_all_its_loader_has_started(observer):
    assert statuses(tried(observer, Mishap(BATCH, "kill", 1), loader_workers=2)) == ["ok"] * 4


def test_worker_killed_that_was_not_forked(observer):
    seen = tried(observer, Mishap(BATCH, "kill", 1), options={"start_method": "forkserver"})
    assert statuses(seen) == ["ok"] * 4
    assert died(seen) == ["was killed by SIGKILL"]


@pytest.mark.parametrize("mishaps", [(), (Mishap(SENDING, "kill"),)])
def test_result_of_8_mebibytes(observer, mishaps):
    assert statuses(tried(observer, *mishaps, big=True, epochs=2)) == ["ok"] * 2


@pytest.mark.parametrize(("what", "workers"), [("hang", 1), ("hang", 2), ("stop", 1)])
def test_validation_that_takes_too_long(observer, what, workers):
    options = {"workers": workers, "time_limit": 1.0, "on_failure": "continue"}
    seen = tried(observer, Mishap(BATCH, what, 1), epochs=6, options=options)
    assert statuses(seen) == ["ok", "timed out", "ok", "ok", "ok", "ok"]
    assert reasons(seen) == {1: "it took longer than 1 s"}


def test_worker_that_takes_too_long_to_start(observer):
    assert statuses(tried(observer, Mishap(STARTING, "hang"), options={"time_limit": 1.0})) == ["ok"] * 4


def test_worker_that_never_starts(observer):
    seen = tried(observer, Mishap(STARTING, "hang", times=ALWAYS), options={"time_limit": 0.3})
    assert seen.raised == (
        "ValidationFailed: validation of epoch 0 failed: the worker took longer than 0.3 s before it was ready, 2 times"
    )


def test_end_of_training_waits_as_long_as_it_is_to(observer):
    seen = tried(observer, Mishap(BATCH, "hang", 3), options={"drain_limit": 0.3})
    assert statuses(seen)[-1] == "timed out"
    assert reasons(seen)[3] == "it was not done 0.3 s after the end of training"


@pytest.mark.parametrize("loader_workers", [0, 2])
def test_training_killed_while_validation_hangs(observer, loader_workers):
    mishaps = Mishap(BATCH, "hang", 0), Mishap(TRAINING, "kill", 2, after=1)
    assert tried(observer, *mishaps, loader_workers=loader_workers).status == -9


def test_training_killed_while_validation_is_stopped(observer):
    """Nobody is left that could remove the (empty) folder for sockets of loaders' processes."""
    seen = observer.observe("ours", mishaps=[Mishap(BATCH, "stop", 0), Mishap(TRAINING, "kill", 2, after=1)])
    assert seen.status == -9
    assert seen.processes == []


@pytest.mark.parametrize(("what", "raised"), [("raise", "Planned"), ("exit", "SystemExit")])
def test_training_raises_while_validation_hangs(observer, what, raised):
    seen = tried(observer, Mishap(BATCH, "hang", 0), Mishap(TRAINING, what, 2, after=1))
    assert seen.raised.startswith(raised)
    assert reasons(seen) == dict.fromkeys((0, 1), f"training was ended by {raised}")
    assert seen.one("children") == 0


def test_interrupted_in_a_batch(observer):
    seen = tried(observer, Mishap(BATCH, "hang", 0), Mishap(TRAINING, "interrupt", 2, after=1))
    assert reasons(seen) == dict.fromkeys((0, 1), "training was ended by KeyboardInterrupt")
    assert seen.one("children") == 0


def test_logger_raises(observer):
    seen = tried(observer, Mishap(LOGGING, "raise", 1, times=ALWAYS), unlogged={1})
    assert seen.raised.startswith("Planned")
    assert seen.one("children") == 0


@pytest.mark.parametrize("batch", [0, 2])
def test_training_that_is_to_stop(observer, batch):
    assert set(statuses(tried(observer, Mishap(TRAINING, "end", 2, batch)))) == {"ok"}


def test_training_that_has_run_out_of_time(observer):
    seen = tried(observer, Mishap(TRAINING, "late", 2), trainer={"max_time": {"days": 1}})
    assert statuses(seen) == ["ok"] * 3
