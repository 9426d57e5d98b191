"""Validation of a Keras training in a process of its own, while the next epoch trains."""

import functools
import os
import pickle
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from harness.parallel.outcome import Outcome, ValidationFailed
from harness.parallel.sidecar import Evaluate, Job, Sidecar


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
    writes the weights to a file and goes on; no weights are evaluated that are not the epoch's, to the last bit.

    *Exactly one outcome an epoch*, in `outcomes`, in order: `ok`, `failed` (evaluating raised; or its process died,
    and did so again in each of the `retries` new ones), `timed out` (after `time_limit` seconds of evaluating, or at
    `drain_limit` seconds after the end of training) or `skipped` (see `when_slower`; or training raised, and the block
    was left). `on_train_end` waits for all of them.

    *The same figures as `fit(validation_data=...)`*, to the last bit, as `val_*` in the history that `fit` returns:
    NaN for epochs that are not `ok`. The callbacks in `told` get `on_train_begin`, `on_train_end`, and for each epoch,
    in order and once its outcome is there, `on_epoch_end` with the `logs` of its training and, if it is `ok`, `val_*`.
    So `CSVLogger` and `TensorBoard` belong there, and an `EarlyStopping`, which then stops training as many epochs
    late as validation lags: one, if training is blocked. Other callbacks see no `val_*`. One that would keep the
    weights of the moment in which it is told (`ModelCheckpoint`, `restore_best_weights`) would keep those of a later
    epoch, and is refused: save every epoch's, and choose by the history.

    Raises, once training calls it, and with its process ended: TypeError at the start, if `build` or `data` cannot be
    pickled; ValueError at the first validation of `fit`'s own; ValidationFailed at the end of the epoch in which an
    outcome is known to be `failed` or `timed out`, unless `on_failure` is `continue`.

    When `fit` raises, Keras tells no callback: leave the `with` block, or call `close`, to end the process and to
    remove the files. At the end of the interpreter that happens by itself; if the training process is killed, the
    other one does it.

    Args:
        told: callbacks that are told of epochs whose figures are complete.
        when_slower: what is done at the end of an epoch while an earlier one is still being evaluated: `block`
            (training waits, so that it is never more than an epoch ahead), `queue` (its weights wait in a file) or
            `latest` (so they do, and of those that wait only the newest are evaluated; the others are skipped).
        on_failure: `raise` or `continue`.
        retries: how many new processes an epoch is given to whose process died.
        time_limit, drain_limit: seconds; None for no limit.

    Keras 3, in one training process. On TensorFlow the other process has as many threads as this one; on a GPU both
    need room there (`TF_FORCE_GPU_ALLOW_GROWTH`). It needs seconds to import TensorFlow, while the first epoch trains.
    """

    def __init__(
        self,
        build: Callable[[], Any],
        data: Callable[[], Mapping[str, Any]],
        told: Sequence[Any] = (),
        *,
        when_slower: Literal["block", "queue", "latest"] = "block",
        on_failure: Literal["raise", "continue"] = "raise",
        retries: int = 1,
        time_limit: float | None = None,
        drain_limit: float | None = None,
    ) -> None:
        super().__init__()
        _refuse(told, when_slower, on_failure)
        self.outcomes: list[Outcome] = []
        self._make = functools.partial(_evaluator, build, data)
        self._told = list(told)
        self._when_slower, self._on_failure = when_slower, on_failure
        self._retries, self._time_limit, self._drain_limit = retries, time_limit, drain_limit
        self._sidecar: Sidecar | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._logs: dict[int, dict[str, Any]] = {}  # of the epochs that have no outcome yet

    def __enter__(self) -> "SidecarValidation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if there is one; epochs that have no outcome are skipped."""
        if self._sidecar is None or self._folder is None:
            return
        self._sidecar.close()
        last = max(self._logs, default=0)
        self.outcomes += [replace(outcome, released=last) for outcome in self._sidecar.finished()]
        self._folder.cleanup()
        self._sidecar = self._folder = None

    @property
    def process(self) -> int | None:
        """The id of the process; None while there is none."""
        return self._sidecar.process if self._sidecar else None

    def on_train_begin(self, logs: Any = None) -> None:
        self.close()
        self.outcomes, self._logs = [], {}
        self._folder = tempfile.TemporaryDirectory(prefix="sidecar-validation-")
        make = functools.partial(self._make, _threads())
        latest = self._when_slower == "latest"
        self._sidecar = Sidecar(make, Path(self._folder.name), self._retries, self._time_limit, latest)
        try:
            self._sidecar.start()
        except TypeError as error:
            self.close()
            raise TypeError(
                f"build or data {error}; let them be functions of a module, that make what they return"
            ) from error
        for callback in self._told:
            callback.set_params(self.params)
            callback.set_model(self.model)
            callback.on_train_begin(logs)

    def on_test_begin(self, logs: Any = None) -> None:
        self.close()
        raise ValueError("validated here and by fit: leave out validation_data, validation_split, or this callback")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        assert self._sidecar is not None
        assert self._folder is not None
        if self._when_slower == "block":
            self._sidecar.drain()
        self._release(epoch)
        weights = self.model.get_weights()
        self._logs[epoch] = dict(logs or {})
        step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        path = _write(weights, Path(self._folder.name, f"{epoch}.weights"))
        self._sidecar.submit(Job(epoch, step, path, digest_of(weights)))

    def on_train_end(self, logs: Any = None) -> None:
        assert self._sidecar is not None
        self._sidecar.drain(self._drain_limit)
        self._release(max(self._logs, default=0))
        self.close()
        self._add_to_history()
        for callback in self._told:
            callback.on_train_end(logs)

    def _release(self, epoch: int) -> None:
        """What has become known in an epoch, in order.

        Raises:
            ValidationFailed: it is an epoch's failure.
        """
        assert self._sidecar is not None
        for outcome in self._sidecar.finished():
            self.outcomes.append(replace(outcome, released=epoch))
            figures = {f"val_{name}": figure for name, figure in outcome.metrics.items()}
            logs = {**self._logs.pop(outcome.epoch), **figures}
            for callback in self._told:
                callback.on_epoch_end(outcome.epoch, logs)
        lost = [outcome for outcome in self.outcomes if outcome.status in ("failed", "timed out")]
        if lost and self._on_failure == "raise":
            self.close()
            first = lost[0]
            raise ValidationFailed(f"validation of epoch {first.epoch} {first.status}: {first.reason}")

    def _add_to_history(self) -> None:
        names = dict.fromkeys(name for outcome in self.outcomes for name in outcome.metrics)
        for name in names:
            figures = [outcome.metrics.get(name, float("nan")) for outcome in self.outcomes]
            self.model.history.history[f"val_{name}"] = figures


def digest_of(weights: Iterable[Any]) -> str:
    """A checksum of the bytes of some arrays, in order."""
    checksum = 0
    for array in weights:
        checksum = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, checksum)
    return f"{checksum:08x}"


def _refuse(told: Sequence[Any], when_slower: str, on_failure: str) -> None:
    for name, value, known in [
        ("when_slower", when_slower, ("block", "queue", "latest")),
        ("on_failure", on_failure, ("raise", "continue")),
    ]:
        if value not in known:
            raise ValueError(f"{name}={value!r} is not one of {', '.join(known)}")
    for callback in told:
        if isinstance(callback, keras.callbacks.ModelCheckpoint) or getattr(callback, "restore_best_weights", False):
            raise ValueError(
                f"{type(callback).__name__} would keep weights of a later epoch than that it is told of: "
                "save those of every epoch, and choose by the history"
            )


def _write(weights: list[Any], path: Path) -> Path:
    """Nobody finds it half written."""
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        pickle.dump(weights, file, protocol=pickle.HIGHEST_PROTOCOL)
    os.replace(unfinished, path)
    return path


def _threads() -> tuple[int, int] | None:
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    threading = tf.config.threading
    return threading.get_inter_op_parallelism_threads(), threading.get_intra_op_parallelism_threads()


def _evaluator(
    build: Callable[[], Any], data: Callable[[], Mapping[str, Any]], threads: tuple[int, int] | None
) -> Evaluate:
    """In the other process."""
    if threads is not None:
        import tensorflow as tf

        tf.config.threading.set_inter_op_parallelism_threads(threads[0])
        tf.config.threading.set_intra_op_parallelism_threads(threads[1])
    model, arguments = build(), {"verbose": 0, **data()}

    def evaluate(path: Path) -> tuple[str, dict[str, float]]:
        with path.open("rb") as file:
            model.set_weights(pickle.load(file))
        digest = digest_of(model.get_weights())
        return digest, model.evaluate(**arguments, return_dict=True)

    return evaluate
