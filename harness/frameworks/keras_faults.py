"""Injects faults into a training of Keras's, where a user's own code or machine would bring them about."""

import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.faults import checkpoint, process
from harness.faults.fault import Fault, InjectedError
from harness.faults.injector import Injector
from harness.faults.loader import faulty_pass, fetched, told_length
from harness.faults.step import relabelled, throw
from harness.frameworks.keras_package import keras, tf
from harness.frameworks.keras_partition import Partition
from harness.frameworks.keras_recording import STEPS, Position, replica
from harness.workloads.workload import Workload

LABELS = ("step.labels_raise", "step.labels_broadcast")
IN_STEPS = ("step.exception", "step.out_of_memory", *LABELS, "strategy.replica_raises")
# A `PyDataset` says how many batches it has; only generators end before that, or never.
OF_GENERATORS = ("loader.runs_dry", "loader.never_ends")


class NoTurn(Exception):  # noqa: N818  # it is no error
    """Training ended before it came to what a thread was waiting for."""


class Turn:
    """The batch that training asks for: what reads ahead in a thread waits for it where a fault is due, so that the
    same trial gives the same history."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at: tuple[Any, ...] = ()
        self._over = False

    def comes(self, *place: Any) -> None:
        with self._changed:
            self._at = place
            self._changed.notify_all()

    def ends(self) -> None:
        """There is no other: TensorFlow waits for its threads."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def wait_for(self, *place: Any) -> None:
        """Raises:
        NoTurn: it does not come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._at == place)
            if self._over:
                raise NoTurn


class FaultyPartition(Partition):
    def __init__(self, workload: Workload, stage: str, injector: Injector, position: Position, turn: Turn) -> None:
        super().__init__(workload, stage)
        self._injector = injector
        self._position = position
        self._turn = turn
        self._epoch: int | None = None
        self._says: int | None = None

    def __len__(self) -> int:
        if self._says is None:
            self._says = told_length(len(self.batches), self._injector, self.stage)
        return self._says or 0

    def on_epoch_begin(self) -> None:
        """Before that, Keras looks at the first batches to learn their shapes."""
        self._epoch = self._position.epoch

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        batch = super().__getitem__(index)
        for fault in self._injector.due("fetch", self.stage, self._epoch, index):
            self._turn.wait_for(self.stage, self._epoch, index)
            fetched(fault, self._injector, index)
            batch = _spoilt(fault, *batch)
        return batch

    def generator(self) -> Iterator[tuple[Any, Any]]:
        """All passes, one after the other; once one has run dry there are no more."""
        for epoch in itertools.count():
            given = 0
            for batch in self._passed(epoch):
                yield batch
                given += 1
            if given < len(self.batches):
                return

    def dataset(self) -> Any:
        """Made of a generator for each pass, of a length that nobody knows."""
        signature = tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in self.arrays(()))
        return tf.data.Dataset.from_generator(lambda: self._passed(self._position.epoch), output_signature=signature)

    def _passed(self, epoch: int | None) -> Iterator[tuple[Any, Any]]:
        wrong: list[Fault] = []

        def strike(fault: Fault, index: int) -> None:
            wrong.append(fault)

        def ready(index: int) -> None:
            if self._position.epoch is not None:
                self._turn.wait_for(self.stage, epoch, index)

        for ids in faulty_pass(self.batches, self._injector, self.stage, epoch, strike, ready):
            batch = self.arrays(ids)
            while wrong:
                batch = _spoilt(wrong.pop(), *batch)
            yield batch


def _spoilt(fault: Fault, features: NDArray[Any], targets: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Raises:
    InjectedError: that is what the fault is.
    """
    if fault.kind == "getitem_raises":
        raise InjectedError(fault.message)
    if fault.kind == "batch_changes_shape":
        return features, _two_columns(targets)
    features[0] = np.nan
    return features, targets


def _two_columns(targets: NDArray[Any]) -> NDArray[Any]:
    """Targets (n, 1) as (n, 2), the second column another sample's."""
    return np.concatenate([targets, np.roll(targets, 1, axis=0)], axis=-1)


class FaultyCallback(keras.callbacks.Callback):  # type: ignore[name-defined,misc]  # Keras is not type-checked here
    """One that raises where epochs end.

    Args:
        kind: `callback.raises_before` or `callback.raises_after`: of the scenario's own callbacks.
    """

    def __init__(self, injector: Injector, position: Position, kind: str) -> None:
        super().__init__()
        self.injector = injector
        self.position = position
        self._kind = kind

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._raise("train")

    def on_test_end(self, logs: Any = None) -> None:
        self._raise("validation")

    def _raise(self, stage: str) -> None:
        for fault in self.injector.due("hook", stage, self.position.epoch, kinds=[self._kind]):
            throw(self.injector, fault)


class FirstFaultyCallback(FaultyCallback):
    """The one before all others; it brings about what comes from outside, in the main thread, where signals arrive."""

    def __init__(self, injector: Injector, position: Position, callbacks: list[Any]) -> None:
        super().__init__(injector, position, "callback.raises_before")
        self._callbacks = callbacks
        self.strikes_again = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        for fault in self.injector.due("epoch", "train", epoch):
            if fault.kind == "threads_alive":
                self.injector.fire(fault)
                process.outlive_the_main_thread()
                continue
            for stopping in [each for each in self._callbacks if isinstance(each, keras.callbacks.EarlyStopping)][:1]:
                self.injector.fire(fault)
                stopping.patience = 0
                stopping.min_delta = np.nan  # Whatever the monitored figure will be, it is no better by that.

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._strike("train", batch)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._strike("validation", batch)

    def _strike(self, stage: str, batch: int) -> None:
        for fault in self.injector.due("step", stage, self.position.epoch, batch):
            if fault.family != "process":
                continue
            self.injector.fire(fault, batch)
            if fault.kind == "stop_requested":
                self.model.stop_training = True
                continue
            self.strikes_again = fault.kind == "interrupt_twice"
            process.strike(fault)


class LastFaultyCallback(FaultyCallback):
    """The one behind all others, recording included: after it, Keras asks for the batch."""

    def __init__(self, injector: Injector, position: Position, turn: Turn) -> None:
        super().__init__(injector, position, "callback.raises_after")
        self._turn = turn

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._turn.comes("train", self.position.epoch, batch)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._turn.comes("validation", self.position.epoch, batch)

    def on_train_end(self, logs: Any = None) -> None:
        self._turn.ends()


class FaultlessTraining:
    """Nothing is wrong with it."""

    def validation(self, workload: Workload) -> Any:
        return Partition(workload, "validation")

    def around(self, callbacks: list[Any]) -> list[Any]:
        return callbacks

    def spoil(self, model: Any) -> None: ...

    def fit(self, model: Any, workload: Workload, arguments: dict[str, Any]) -> None:
        model.fit(Partition(workload, "train"), **arguments)


class FaultyTraining(FaultlessTraining):
    """All that is wrong with one `fit`, and the places that it has to be put in."""

    def __init__(self, injector: Injector, position: Position) -> None:
        self._injector = injector
        self._position = position
        self._turn = Turn()
        self._first: FirstFaultyCallback | None = None

    def _partition(self, workload: Workload, stage: str) -> FaultyPartition:
        return FaultyPartition(workload, stage, self._injector, self._position, self._turn)

    def validation(self, workload: Workload) -> Any:
        """A generator itself would not do: each validation would begin with its first two batches again, and go on
        wherever Keras had come to in reading ahead."""
        partition = self._partition(workload, "validation")
        unsteady = any(self._injector.plans(name, "validation") for name in OF_GENERATORS)
        return partition.dataset() if unsteady else partition

    def around(self, callbacks: list[Any]) -> list[Any]:
        """The callbacks of a `fit`, with those before and after them that raise."""
        self._first = FirstFaultyCallback(self._injector, self._position, callbacks)
        return [self._first, *callbacks, LastFaultyCallback(self._injector, self._position, self._turn)]

    def spoil(self, model: Any) -> None:
        """To be called before recording is attached: what goes wrong in a step happens within it."""
        plans = self._injector.plans
        for stage, name in STEPS.items():
            if any(plans(fault, stage) for fault in IN_STEPS):
                relabels = any(plans(fault, stage) for fault in LABELS)
                setattr(model, name, self._spoilt_step(stage, getattr(model, name), relabels))
        if plans("step.nan_loss"):
            model.compute_loss = self._spoilt_loss(model.compute_loss)
        if plans("callback.checkpoint_no_space") or plans("callback.checkpoint_read_only"):
            for name in ("save", "save_weights"):
                setattr(model, name, self._spoilt_save(getattr(model, name)))

    def _spoilt_step(self, stage: str, inner: Callable[[Any], Any], relabels: bool) -> Callable[[Any], Any]:
        def strike(targets: NDArray[Any], of_replica: int) -> NDArray[Any]:
            batch = self._position.batch
            for fault in self._injector.due("step", stage, self._position.epoch, batch, IN_STEPS, int(of_replica)):
                if fault.kind in ("exception", "replica_raises"):
                    throw(self._injector, fault, batch)
                if fault.kind == "out_of_memory":
                    # TensorFlow makes its own ResourceExhaustedError of it (`python/lib/core/py_func.cc`).
                    self._injector.fire(fault, batch, {"exception": "ResourceExhaustedError", "message": ""})
                    raise MemoryError(fault.message)
                self._injector.fire(fault, batch)
                _, targets = relabelled(fault, (None, targets), _two_columns)
            return targets

        def step(data: Any) -> Any:
            x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
            targets = tf.numpy_function(strike, [y, replica()], y.dtype)
            targets.set_shape([None] * y.shape.rank if relabels else y.shape)
            return inner(keras.utils.pack_x_y_sample_weight(x, targets, weight))

        return step

    def _spoilt_loss(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def factor() -> Any:
            batch = self._position.batch
            due = self._injector.due("loss", self._position.stage, self._position.epoch, batch)
            for fault in due:
                self._injector.fire(fault, batch)
            return np.float32(np.nan if due else 1)

        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = inner(*args, **kwargs)
            times = tf.numpy_function(factor, [], tf.float32)
            times.set_shape(())
            return loss * tf.cast(times, loss.dtype)

        return compute_loss

    def _spoilt_save(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def save(filepath: Any, *args: Any, **kwargs: Any) -> Any:
            for fault in self._injector.due("save", "train", self._position.epoch):
                self._injector.fire(fault)
                checkpoint.save(fault, lambda path: inner(path, *args, **kwargs), str(filepath))
                return
            inner(filepath, *args, **kwargs)

        return save

    def fit(self, model: Any, workload: Workload, arguments: dict[str, Any]) -> None:
        partition = self._partition(workload, "train")
        batches: Any = partition
        if self._injector.plans("loader.never_ends", "train"):
            batches = partition.dataset()
        elif self._injector.plans("loader.runs_dry", "train"):
            batches, arguments = partition.generator(), {**arguments, "steps_per_epoch": len(partition.batches)}
        try:
            model.fit(batches, **arguments)
        finally:
            self._turn.ends()
            if self._first and self._first.strikes_again:
                signal.raise_signal(signal.SIGINT)
