"""Attaches recording to a compiled Keras model, from outside.

A callback, and wrappers on the model *instance* around `call`, `train_step` and `test_step`, which Keras traces
into the graph it runs. What leaves the graph leaves it by `tf.numpy_function`, once per step, whatever
`steps_per_execution` is; the step itself stays compiled. Samples travel in no other place than the batch: they are
told by their features.
"""

import threading
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import ScenarioError
from harness.frameworks.callback_recording import record_callbacks
from harness.frameworks.keras_package import keras, tf
from harness.history.encoding import Json, encode_array, encode_batch, encode_error, encode_scalar
from harness.history.recorder import Recorder
from harness.workloads.workload import Workload

STEPS = {"train": "train_step", "validation": "test_step"}
CALLBACK_HOOKS = sorted(name for name in dir(keras.callbacks.Callback) if name.startswith("on_"))


class Position:
    """Where training stands: what every operation is stamped with."""

    def __init__(self) -> None:
        self.stage: str | None = None
        self.epoch: int | None = None
        self.step = 0
        self.batch: int | None = None
        self.begun: dict[int, int] = {}  # batches of this pass, by replica

    def begin(self, stage: str) -> None:
        self.stage, self.batch, self.begun = stage, None, {}

    def stamp(self) -> dict[str, Any]:
        return {"stage": self.stage, "epoch": self.epoch, "step": self.step, "batch": self.batch}


class Progress(keras.callbacks.Callback):  # type: ignore[name-defined,misc]  # Keras is not type-checked here
    """Keeps a position. The first of all callbacks, so that what the others are called for is stamped with it."""

    def __init__(self, position: Position) -> None:
        super().__init__()
        self._position = position

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._position.epoch = epoch
        self._position.begin("train")

    def on_test_begin(self, logs: Any = None) -> None:
        self._position.begin("validation")

    def on_test_end(self, logs: Any = None) -> None:
        self._position.batch = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._position.batch = None


class Samples:
    """Tells samples by their features."""

    def __init__(self, workload: Workload) -> None:
        self._features = workload.features
        self._ids = {row.tobytes(): index for index, row in enumerate(workload.features)}

    def identify(self, features: NDArray[Any], supposed: tuple[int, ...]) -> tuple[int, ...]:
        """The ids of the samples in a batch. `supposed` is what stands in this place of the workload's partition;
        it counts where two samples are alike, and where features are no sample's."""
        if np.array_equal(features, self._features[list(supposed)]):
            return supposed
        found = [self._ids.get(row.tobytes()) for row in features]
        return supposed if None in found else tuple(index for index in found if index is not None)


class Recording(keras.callbacks.Callback):  # type: ignore[name-defined,misc]  # Keras is not type-checked here
    """Notes the progress of `fit`, the figures that callbacks are told, and what each step holds."""

    def __init__(self, recorder: Recorder, workload: Workload, position: Position) -> None:
        super().__init__()
        self._recorder = recorder
        self._workload = workload
        self._samples = Samples(workload)
        self._position = position
        self._open: dict[int, tuple[int, ...]] = {}  # the samples of the steps that have begun, by replica
        self._replicas = threading.Lock()  # each has threads of its own
        self._told: dict[int, set[str]] = {}  # the names of the figures of each epoch

    def _note(self, hook: str) -> None:
        self._recorder.write(hook, "info", **self._position.stamp())

    def _note_weights(self) -> None:
        """`crc32` of what is trained: equal ones before and after an epoch say that nothing was learnt.
        `state_crc32` of all weights, such as the running statistics of batch norm, besides."""
        checksums = {"crc32": _crc32(self.model.trainable_variables), "state_crc32": _crc32(self.model.weights)}
        self._recorder.write("weights", "info", checksums, **self._position.stamp())

    def on_train_begin(self, logs: Any = None) -> None:
        self._note("on_train_begin")
        self._note_weights()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._note("on_epoch_begin")

    def on_test_begin(self, logs: Any = None) -> None:
        self._note("on_test_begin")

    def on_test_end(self, logs: Any = None) -> None:
        self._note("on_test_end")
        self._position.begin("train")

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == 0:
            self._note_metric_states("before")

    on_test_batch_begin = on_train_batch_begin

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._note_batch_end("on_train_batch_end", batch)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._note_batch_end("on_test_batch_end", batch)

    def _note_batch_end(self, hook: str, told: int) -> None:
        """`told` is the batch that Keras says has ended; the stamp says which one was the last that ran."""
        self._recorder.write(hook, "info", told, **self._position.stamp())
        if told == self.model.steps_per_execution - 1:
            self._note_metric_states("after")

    def _note_metric_states(self, moment: str) -> None:
        """How much each metric that counts holds around an epoch's first execution; nothing is computed."""
        updates = {
            metric.name: int(keras.ops.convert_to_numpy(metric.count))
            for metric in metrics_of(self.model)
            if hasattr(metric, "count")
        }
        self._recorder.write("metric_state", "ok", {"moment": moment, "updates": updates}, **self._position.stamp())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._note("on_epoch_end")
        self._note_weights()
        self._told[epoch] = set(logs or {})
        self._tell(epoch, logs or {})

    def told_late(self, epoch: int, logs: Any) -> None:
        """Only what is new: it is told with what was told at the end of the epoch."""
        self._tell(epoch, {name: logs[name] for name in logs if name not in self._told[epoch]})

    def _tell(self, epoch: int, logs: Any) -> None:
        metrics = {name: encode_scalar(figure) for name, figure in logs.items()}
        told = {"step": None, "epoch": epoch, "metrics": metrics}
        self._recorder.write("logger", "ok", told, **self._position.stamp())

    def on_train_end(self, logs: Any = None) -> None:
        self._note("on_train_end")

    def step_begins(self, stage: str, replica: int, features: NDArray[Any]) -> None:
        position, planned = self._position, self._workload.batches(stage)
        with self._replicas:
            position.batch = position.begun.get(replica, 0)
            position.begun[replica] = position.batch + 1
            supposed = planned[position.batch] if position.batch < len(planned) else ()
            self._open[replica] = self._samples.identify(features, supposed)
            self._recorder.write("batch", "invoke", rank=replica, **position.stamp())

    def step_ends(self, stage: str, replica: int, outputs: NDArray[Any] | None, differing_runs: int) -> None:
        told = None if outputs is None else _encoded(outputs)
        with self._replicas:
            text = encode_batch(self._open.pop(replica), told, differing_runs=differing_runs)
            self._recorder.write("batch", "ok", text=text, rank=replica, **self._position.stamp())
            if stage == "train" and replica == 0:
                self._position.step += 1

    def steps_fail(self, error: BaseException) -> None:
        """Those that had begun when an execution raised. What follows in TensorFlow's messages are stacks."""
        told = encode_error(error)
        told["message"] = told["message"].partition("\n")[0]
        for replica, ids in sorted(self._open.items()):
            value = {"ids": ids, **told}
            self._recorder.write("batch", "fail", value, rank=replica, **self._position.stamp())
        self._open = {}


class LateFigures(keras.callbacks.Callback):  # type: ignore[name-defined,misc]  # Keras is not type-checked here
    """A logger that is told of epochs after their end. It notes what it was told when training has ended: so the same
    trial gives the same history, whenever figures come."""

    def __init__(self, recording: Sequence[Recording]) -> None:
        super().__init__()
        self._recording = recording
        self._told: list[tuple[int, Any]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._told.append((epoch, logs))

    def on_train_end(self, logs: Any = None) -> None:
        for recording in self._recording:
            for epoch, figures in self._told:
                recording.told_late(epoch, figures)


def _encoded(outputs: NDArray[Any]) -> Json:
    """TensorFlow has a type of its own for bfloat16."""
    if outputs.dtype.name == "bfloat16":
        return encode_array(outputs.astype(np.float32), "bfloat16")
    return encode_array(outputs)


def _crc32(variables: Sequence[Any]) -> int:
    checksum = 0
    for variable in variables:
        checksum = zlib.crc32(variable.numpy().tobytes(), checksum)
    return checksum


def metrics_of(model: Any) -> list[Any]:
    """All metric objects of a model, also those that its own `metrics` does not list and Keras does not reset."""
    found = {id(metric): metric for metric in (*keras.Model.metrics.fget(model), *model.metrics)}
    return [part for metric in found.values() for part in getattr(metric, "metrics", None) or [metric]]


def instrument(model: Any, predictions_from: str, recording: Recording) -> None:
    """Attach recording to a model instance; its class stays as it is.

    Raises:
        ScenarioError: the model is compiled with XLA, which has no way out of the graph.
    """
    if model.jit_compile:
        raise ScenarioError("a model with jit_compile=True cannot be recorded: XLA calls no Python; compile without it")
    outputs = Outputs(model.get_layer(predictions_from) if predictions_from else model)
    for stage, name in STEPS.items():
        setattr(model, name, _recorded(stage, getattr(model, name), outputs, recording))
    for name in ("train_function", "test_function"):
        _record_failures(model, name, recording)


def replica() -> Any:
    """The number of the replica that this part of the graph is traced for; 0 where there is but one."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def record_own_callbacks(callbacks: Sequence[Any], recorder: Recorder, position: Position) -> list[dict[str, Any]]:
    """Record the hooks of a scenario's own callbacks, as `record_callbacks` does."""
    kinds = {"checkpoint": keras.callbacks.ModelCheckpoint, "monitor": keras.callbacks.EarlyStopping}
    return record_callbacks(callbacks, keras.callbacks.Callback, CALLBACK_HOOKS, kinds, recorder, position)


def _record_failures(model: Any, name: str, recording: Recording) -> None:
    """Of what Keras executes as a whole, once it has made that."""
    make = getattr(model, f"make_{name}")
    known: list[Any] = []

    def made(force: bool = False) -> None:
        make(force)
        function = getattr(model, name)
        if function in known:
            return

        def watched(*args: Any) -> Any:
            try:
                return function(*args)
            except BaseException as error:
                recording.steps_fail(error)
                raise

        known[:] = [watched]
        setattr(model, name, watched)

    setattr(model, f"make_{name}", made)


class Traced(threading.local):
    """The step that is being traced: each replica is traced in a thread of its own, and they take turns."""

    runs: list[Any] | None = None  # what the observed layer returned in it; None of no step


class Outputs:
    """What the observed layer returned, each time that it ran in the step that is being traced."""

    def __init__(self, layer: Any) -> None:
        self._step = Traced()
        self._inner = layer.call
        layer.call = self._call

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        output = self._inner(*args, **kwargs)
        if self._step.runs is not None:
            self._step.runs.append(output)
        return output

    def begin(self) -> None:
        """A step does."""
        self._step.runs = []

    def end(self) -> list[Any]:
        """The tensors of the step's own graph: a layer also runs to be built, in a graph that is thrown away."""
        runs, self._step.runs = self._step.runs or [], None
        graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        return [each for each in runs if tf.is_tensor(each) and getattr(each, "graph", None) is graph]


def _differing_runs(outputs: Sequence[NDArray[Any]]) -> int:
    """How many there are, if they differ in a bit; 0 if they do not."""
    results = {(each.dtype, each.shape, each.tobytes()) for each in outputs}
    return len(outputs) if len(results) > 1 else 0


def _recorded(stage: str, inner: Callable[[Any], Any], outputs: Outputs, recording: Recording) -> Callable[[Any], Any]:
    def begins(replica: NDArray[Any], features: NDArray[Any]) -> None:
        recording.step_begins(stage, int(replica), features)

    def ends(replica: NDArray[Any], *given: NDArray[Any]) -> None:
        recording.step_ends(stage, int(replica), given[-1] if given else None, _differing_runs(given))

    def step(data: Any) -> Any:
        """Runs once per trace (per step, where the model runs eagerly).

        TensorFlow keeps the order of what has side effects. Nothing of the step itself may depend on the
        recording: variables made in it would carry that dependency out of the step, to where they are initialised.
        """
        features, *_ = keras.utils.unpack_x_y_sample_weight(data)
        outputs.begin()
        tf.numpy_function(begins, [replica(), features], [])
        result = inner(data)
        given = outputs.end()
        with tf.control_dependencies(tf.nest.flatten(result)):
            tf.numpy_function(ends, [replica(), *given], [])
        return result

    return step
