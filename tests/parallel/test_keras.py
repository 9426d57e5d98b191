"""What the callback makes of a process's outcomes: history, other callbacks, exceptions; and what it refuses.

The process is one of its own, but for what evaluates in it: TensorFlow, which takes seconds to import, stays out. That
figures are those of `fit(validation_data=...)` is for the scenarios.
"""

import math
import os
import signal
import warnings
from contextlib import closing
from functools import partial
from multiprocessing.connection import wait

import evaluators
import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is not installed here")
SAMPLES = np.linspace(0, 1, 4, dtype="float32").reshape(-1, 1)
SOON_S = 60.0
LONG_S = 3.0  # to start the process takes a tenth of it, to evaluate these epochs a thousandth


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch):
    """In the process."""
    import harness.parallel.keras

    monkeypatch.setattr(harness.parallel.keras, "Sent", evaluators.Sums)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def made(wrong="", turn=1, told=(), **arguments):
    """A callback each of whose processes does what is wrong when it evaluates for this time, counted from 0."""
    from harness.parallel.keras import SidecarValidation

    build = partial(evaluators.same, wrong)
    data = partial(evaluators.same, turn)
    return SidecarValidation(build, data, told, **{"retries": 0, "time_limit": SOON_S, **arguments})


def new_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse", run_eagerly=True)
    return model


class Sums(keras.callbacks.Callback):
    """What the process gives: the sum of the weights when each epoch ended; and the process."""

    def __init__(self, validation):
        super().__init__()
        self.validation = validation
        self.sums = []

    def on_train_begin(self, logs=None):
        (worker,) = self.validation.worker_pids
        self.process = os.pidfd_open(worker)

    def on_epoch_end(self, epoch, logs=None):
        self.sums.append(float(sum(array.sum() for array in self.model.get_weights())))


def fit(validation, epochs=3, callbacks=(), model=None, **arguments):
    """The history, and the sums; afterwards, the process has ended."""
    sums = Sums(validation)
    try:
        with validation:
            callbacks = [validation, sums, *callbacks]
            history = (model or new_model()).fit(
                SAMPLES, SAMPLES, epochs=epochs, batch_size=2, verbose=0, callbacks=callbacks, **arguments
            )
        return history.history, sums.sums
    finally:
        assert wait([sums.process], 0), "its process still runs"
        os.close(sums.process)


def statuses(validation):
    return [(outcome.epoch, outcome.status) for outcome in validation.outcomes]


def test_the_history_has_the_figures_of_every_epoch():
    validation = made()
    history, sums = fit(validation)
    assert history["val_loss"] == sums
    assert list(history) == ["loss", "val_loss"]
    assert [outcome.step for outcome in validation.outcomes] == [2, 4, 6]
    assert [outcome.tries for outcome in validation.outcomes] == [1, 1, 1]
    assert statuses(validation) == [(0, "ok"), (1, "ok"), (2, "ok")]


def test_a_second_fit_has_outcomes_of_its_own():
    validation = made()
    fit(validation, epochs=2)
    fit(validation, epochs=1)
    assert statuses(validation) == [(0, "ok")]


class Log(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append((epoch, logs))

    def on_train_end(self, logs=None):
        self.calls.append("end")


def test_callbacks_are_told_of_complete_epochs_in_order():
    log = Log()
    history, _ = fit(made(told=[log]))
    figures = [dict(zip(history, each, strict=True)) for each in zip(*history.values(), strict=True)]
    assert log.calls == ["begin", *enumerate(figures), "end"]


def test_early_stopping_is_one_epoch_late_where_training_is_blocked():
    """Of epoch 1, which is no better than the first, it is told at the end of epoch 2."""
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=0, min_delta=math.inf)
    validation = made(told=[stopping])
    fit(validation, epochs=9)
    assert statuses(validation) == [(0, "ok"), (1, "ok"), (2, "ok")]
    assert [outcome.released for outcome in validation.outcomes] == [1, 2, 2]


class Holding(keras.callbacks.Callback):
    """Lets no evaluation end from the end of the first epoch, when one has begun, to the end of the fourth."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.held = self.pipe.open("wb")
        if epoch == 3:
            self.held.close()


@pytest.mark.parametrize(("when_slower", "last"), [("skip", "skipped"), ("latest", "ok")])
def test_epochs_that_end_while_one_is_evaluated(when_slower, last, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    validation = made(pipe, turn=0, when_slower=when_slower)
    history, sums = fit(validation, epochs=4, callbacks=[Holding(pipe)])
    assert [status for _, status in statuses(validation)] == ["ok", "skipped", "skipped", last]
    assert history["val_loss"][0] == sums[0]
    assert history["val_loss"][3] == sums[3] or last == "skipped"


def test_an_epoch_whose_process_died_is_given_to_another():
    validation = made("killed", retries=1)
    history, sums = fit(validation, epochs=2)
    assert history["val_loss"] == sums
    assert [outcome.tries for outcome in validation.outcomes] == [1, 2]
    assert [death.how for death in validation.deaths] == ["was killed by SIGKILL"]


class Kills(keras.callbacks.Callback):
    """The process, after the first epoch; notes how many there are when each ends."""

    def __init__(self, validation):
        super().__init__()
        self.validation = validation
        self.processes = []

    def on_epoch_end(self, epoch, logs=None):
        self.processes.append(len(self.validation.worker_pids))
        if epoch == 0:
            (worker,) = self.validation.worker_pids
            os.kill(worker, signal.SIGKILL)
            while self.validation.worker_pids:
                pass  # it is noticed beside training


def test_a_process_that_died_is_replaced_while_an_epoch_trains():
    validation = made(retries=1)
    kills = Kills(validation)
    model = new_model()
    with validation:
        callbacks = [kills, validation]  # that is told before
        model.fit(SAMPLES, SAMPLES, epochs=2, verbose=0, callbacks=callbacks)
    assert kills.processes == [1, 1]


@pytest.mark.parametrize(("wrong", "status"), [("raises", "failed"), ("killed", "failed"), ("hangs", "timed out")])
def test_a_failure_ends_training_with_an_exception_that_names_the_epoch(wrong, status):
    from harness.parallel import ValidationFailed

    validation = made(wrong, time_limit=LONG_S if wrong == "hangs" else SOON_S)
    with pytest.raises(ValidationFailed, match=f"^validation of epoch 1 {status}: "):
        fit(validation)
    assert statuses(validation) == [(0, "ok"), (1, status), (2, "skipped")]


@pytest.mark.parametrize("wrong", ["raises", "killed"])
def test_training_goes_on_after_a_failure_if_it_may(wrong):
    validation = made(wrong, on_failure="continue")
    history, sums = fit(validation)
    assert statuses(validation) == [(0, "ok"), (1, "failed"), (2, "ok")]
    assert math.isnan(history["val_loss"][1])
    assert history["val_loss"][::2] == sums[::2]


def test_what_is_not_done_at_the_deadline_has_timed_out():
    validation = made("hangs", turn=2, on_failure="continue", time_limit=None, drain_limit=1e-9)
    fit(validation)
    assert statuses(validation) == [(0, "ok"), (1, "ok"), (2, "timed out")]


class Raises(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


def test_where_training_raises_what_is_left_is_skipped():
    validation = made("hangs", turn=0)
    with pytest.raises(KeyboardInterrupt):
        fit(validation, callbacks=[Raises()])
    assert statuses(validation) == [(0, "skipped")]


def test_validation_by_fit_besides_is_refused():
    with pytest.raises(ValueError, match="leave out validation_data"):
        fit(made(), validation_data=(SAMPLES, SAMPLES))


def test_what_cannot_be_pickled_is_refused_at_the_start():
    from harness.parallel.keras import SidecarValidation

    with pytest.raises(TypeError, match="let them be functions of a module"):
        new_model().fit(SAMPLES, SAMPLES, verbose=0, callbacks=[SidecarValidation(lambda: None, dict)])


def test_a_model_that_cannot_hold_the_weights_is_refused():
    from harness.parallel.evaluation import Evaluation
    from harness.parallel.memory import Memory

    halves = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, dtype="float16")])
    with closing(Memory(1)) as memory:
        memory.write(0, new_model().get_weights())
        with pytest.raises(ValueError, match="another model than is trained"):
            Evaluation(lambda: halves, dict, memory)((0, b""))


def test_callbacks_that_would_keep_later_weights_are_refused():
    for callback in [
        keras.callbacks.ModelCheckpoint("last.keras"),
        keras.callbacks.EarlyStopping("val_loss", restore_best_weights=True),
    ]:
        with pytest.raises(ValueError, match="save those of every epoch"):
            made(told=[callback])


@pytest.mark.parametrize("name", ["when_slower", "on_failure"])
def test_an_unknown_policy_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}='never' is not one of "):
        made(**{name: "never"})
