"""Validation of a Keras training in a process of its own, while the next epoch trains."""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import keras

from harness.parallel.evaluation import Figures, Sent
from harness.parallel.interrupts import uninterrupted
from harness.parallel.memory import Memory
from harness.parallel.options import WhenSlower, check_choices, check_limits
from harness.parallel.outcome import Outcome, Status, ValidationFailed
from harness.parallel.supervisor import Death, Supervisor, Ticket
from harness.parallel.worker import Worker

OnFailure = Literal["raise", "continue"]


@dataclass(frozen=True)
class _Epoch:
    """What a ticket is about."""

    number: int
    step: int
    logs: Mapping[str, Any]


class SidecarValidation(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped here
    """Evaluates the weights of every epoch in one process beside the training; what `SidecarEvaluator`, which Keras 3
    no longer has, was for::

        def build():                                  # the same network, compiled in the same way
            ...
            return model

        def data():                                   # the arguments of `model.evaluate`
            return {"x": features, "y": targets, "batch_size": 32}

        if __name__ == "__main__":
            with SidecarValidation(build, data) as validation:
                history = build().fit(..., callbacks=[validation])   # without validation_data
            history.history["val_loss"]; validation.outcomes

    `build` and `data` are called once in that process, which is spawned when training begins: they are functions of a
    module, or partial applications of such, and the script has a `__main__` guard. At the end of an epoch training
    copies the weights and goes on; no weights are evaluated that are not the epoch's, to the last bit.

    *Exactly one outcome an epoch*, in `outcomes`, in order: `ok`, `failed` (evaluating raised; or its process died,
    and did so again in each of the `retries` new ones), `timed out` (after `time_limit` seconds of evaluating, or at
    `drain_limit` seconds after the end of training) or `skipped` (see `when_slower`; or training raised, and the block
    was left). `on_train_end` waits for all of them. `deaths` has those of its processes, and when they were noticed;
    `worker_pids` the process that there is.

    *The same figures as `fit(validation_data=...)`*, to the last bit, as `val_*` in the history that `fit` returns:
    NaN for epochs that are not `ok`. The callbacks in `told` get `on_train_begin`, `on_train_end`, and for each epoch,
    in order and once its outcome is there, `on_epoch_end` with the `logs` of its training and, if it is `ok`, `val_*`.
    So `CSVLogger` and `TensorBoard` belong there, and an `EarlyStopping`, which then stops training as many epochs
    late as validation lags: one, if training is blocked. Other callbacks see no `val_*`. One that would keep the
    weights of the moment in which it is told (`ModelCheckpoint`, `restore_best_weights`) would keep those of a later
    epoch, and is refused: save every epoch's, and choose by the history.

    Raises ValueError for options that there are not; once training calls it, and with its process ended: TypeError at
    the start, if `build` or `data` cannot be pickled; ValueError at the first validation of `fit`'s own;
    ValidationFailed at the end of the epoch in which an outcome is known to be `failed` or `timed out`, unless
    `on_failure` is `continue`.

    When `fit` raises, Keras tells no callback: leave the `with` block, or call `close`, to end the process. At the end
    of the interpreter that happens by itself, and if the training process is killed. Nothing is left of the weights.

    Args:
        told: callbacks that are told of epochs whose figures are complete.
        when_slower: what is done at the end of an epoch while an earlier one is still being evaluated: `block`
            (training waits, so that it is never more than an epoch ahead), `skip` (it is not evaluated) or `latest`
            (its weights wait, and of those that wait only the newest are evaluated; the others are skipped).
        on_failure: `raise` ValidationFailed out of `fit`, or `continue` without the figures.
        retries: how many new processes an epoch is given to whose process died; also of how many that die before they
            are ready another is started, and none any more afterwards.
        time_limit: seconds that an evaluation, or the start of the process, may take; None for any.
        drain_limit: seconds that the end of training waits for what is still to be evaluated; None for as long as it
            takes, within `time_limit` each.

    Keras 3, in one training process. On TensorFlow the other process has as many threads as this one; on a GPU both
    need room there (`TF_FORCE_GPU_ALLOW_GROWTH`). It needs seconds to import TensorFlow, while the first epoch trains.
    """

    def __init__(
        self,
        build: Callable[[], Any],
        data: Callable[[], Mapping[str, Any]],
        told: Sequence[Any] = (),
        *,
        when_slower: WhenSlower = "block",
        on_failure: OnFailure = "raise",
        retries: int = 1,
        time_limit: float | None = 3600.0,
        drain_limit: float | None = None,
    ) -> None:
        super().__init__()
        check_choices(
            ("when_slower", when_slower, get_args(WhenSlower)), ("on_failure", on_failure, get_args(OnFailure))
        )
        if retries < 0:
            raise ValueError(f"retries={retries}: at least 0")
        check_limits(time_limit=time_limit, drain_limit=drain_limit)
        _refuse(told)
        self.outcomes: list[Outcome] = []
        self.deaths: list[Death] = []
        self._build_and_data = build, data
        self._told = list(told)
        self._when_slower, self._on_failure = when_slower, on_failure
        self._retries, self._time_limit, self._drain_limit = retries, time_limit, drain_limit
        self._supervisor: Supervisor | None = None
        self._memory = Memory(0)
        self._epoch = 0  # that training has come to

    def __enter__(self) -> "SidecarValidation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if there is one; epochs that have no outcome are skipped."""
        if self._supervisor is None:
            return
        self._supervisor.settle_all("skipped", "closed before it was validated")
        for ticket in self._supervisor.settled():
            self._note(ticket)
        self._supervisor.stop()
        self._supervisor = None
        self._memory.close()

    @property
    def worker_pids(self) -> list[int]:
        """Of the process that there is now, if there is one."""
        return self._supervisor.pids if self._supervisor else []

    def on_train_begin(self, logs: Any = None) -> None:
        self.close()
        self.outcomes, self.deaths = [], []
        content = self._pickled()
        # What is blocked or skipped needs none to wait in.
        slots = 2 if self._when_slower == "latest" else 1
        self._memory = Memory(slots)
        make = Sent(content, _threads(), self._memory)
        self._supervisor = Supervisor(
            lambda: Worker(make, "spawn"), 1, slots, self._retries, self._time_limit, _prepare, self.deaths
        )
        with self._closed_if_it_raises():
            self._supervisor.begin()
            for callback in self._told:
                callback.set_params(self.params)
                callback.set_model(self.model)
                callback.on_train_begin(logs)

    def _pickled(self) -> bytes:
        try:
            return pickle.dumps(self._build_and_data)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(
                f"build or data cannot be sent to another process: {error}; let them be functions of a module, that "
                "make what they return"
            ) from error

    def on_test_begin(self, logs: Any = None) -> None:
        self.close()
        raise ValueError("validated here and by fit: leave out validation_data, validation_split, or this callback")

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        assert self._supervisor is not None
        self._supervisor.restart_dead()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        assert self._supervisor is not None
        self._epoch = epoch
        about = _Epoch(epoch, int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)), dict(logs or {}))
        ticket = Ticket(about, None, b"", "skipped", "training was ended")
        with self._closed_if_it_raises():
            try:
                ticket = self._ticket(self._supervisor, about)
            finally:
                with uninterrupted():
                    self._supervisor.hand_in(ticket)

    def _ticket(self, supervisor: Supervisor, epoch: _Epoch) -> Ticket:
        """Training may be blocked here; what is known by then is told, and nothing after it."""
        if self._when_slower == "latest" and (waiting := supervisor.take_back()) is not None:
            waiting.status, waiting.reason = "skipped", "a later epoch took its place"
            supervisor.give_up(waiting.slot)
            waiting.slot = None
        self._release(supervisor)
        while (slot := supervisor.free_slot()) is None and self._when_slower != "skip":
            supervisor.wait(lambda: supervisor.has_free_slot or supervisor.has_settled)
            self._release(supervisor)
        self._release(supervisor)  # what was settled between the two
        if slot is None:
            return Ticket(epoch, None, b"", "skipped", "an earlier epoch was still being validated")
        self._memory.write(slot, self.model.get_weights())
        return Ticket(epoch, slot, b"")

    def on_train_end(self, logs: Any = None) -> None:
        assert self._supervisor is not None
        with self._closed_if_it_raises():
            supervisor = self._supervisor
            supervisor.drain(self._drain_limit, lambda: self._release(supervisor))
        self.close()
        self._add_to_history()
        for callback in self._told:
            callback.on_train_end(logs)

    def _release(self, supervisor: Supervisor) -> None:
        """Tell of what has become known, in order.

        Raises:
            ValidationFailed: it is an epoch's failure.
        """
        for ticket in supervisor.settled():
            supervisor.give_up(ticket.slot)
            outcome = self._note(ticket)
            figures = {f"val_{name}": figure for name, figure in outcome.metrics.items()}
            for callback in self._told:
                callback.on_epoch_end(outcome.epoch, {**ticket.about.logs, **figures})
            if outcome.status in ("failed", "timed out") and self._on_failure == "raise":
                raise ValidationFailed(f"validation of epoch {outcome.epoch} {outcome.status}: {outcome.reason}")

    def _note(self, ticket: Ticket) -> Outcome:
        epoch: _Epoch = ticket.about
        status = cast(Status, "failed" if ticket.status == "lost" else ticket.status)
        figures: Figures = ticket.reply if status == "ok" else Figures({}, "")
        outcome = Outcome(
            epoch.number, epoch.step, status, figures.metrics, ticket.reason, figures.digest, ticket.tries, self._epoch
        )
        self.outcomes.append(outcome)
        return outcome

    def _add_to_history(self) -> None:
        names = dict.fromkeys(name for outcome in self.outcomes for name in outcome.metrics)
        for name in names:
            figures = [outcome.metrics.get(name, float("nan")) for outcome in self.outcomes]
            self.model.history.history[f"val_{name}"] = figures

    @contextmanager
    def _closed_if_it_raises(self) -> Iterator[None]:
        """Keras tells no callback of an exception."""
        try:
            yield
        except BaseException:
            self.close()
            raise


def _refuse(told: Sequence[Any]) -> None:
    for callback in told:
        if isinstance(callback, keras.callbacks.ModelCheckpoint) or getattr(callback, "restore_best_weights", False):
            raise ValueError(
                f"{type(callback).__name__} would keep weights of a later epoch than that it is told of: "
                "save those of every epoch, and choose by the history"
            )


def _prepare(slot: int) -> None:
    """Nothing: its memory comes with what is written."""


def _threads() -> tuple[int, int] | None:
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    threading = tf.config.threading
    return threading.get_inter_op_parallelism_threads(), threading.get_intra_op_parallelism_threads()
