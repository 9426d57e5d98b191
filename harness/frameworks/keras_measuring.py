"""The meters of training in Keras on TensorFlow, and what tells them how far Keras is."""

import gc
import importlib
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from types import FrameType
from typing import Any

from harness.frameworks.keras_package import keras, tf
from harness.frameworks.keras_recording import metrics_of
from harness.frameworks.measuring import Counting, Measuring, Memory, Timing, inside
from harness.frameworks.python_calls import PythonCalls, Watching

CONVERT = importlib.import_module("keras.src.backend").convert_to_numpy.__code__


class Telling(keras.callbacks.Callback):  # type: ignore[name-defined,misc]  # Keras is not type-checked here
    """Where `steps_per_execution` is more than 1, Keras tells of the first batch of each execution only."""

    def __init__(self, measuring: Measuring) -> None:
        super().__init__()
        self._measuring = measuring

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._measuring.attach(model)

    def on_train_begin(self, logs: Any = None) -> None:
        self._measuring.training_begins(self.model.trainable_variables, self.params["steps"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._measuring.epoch_begins(epoch)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._measuring.batch_begins(batch):
            self.model.stop_training = True


class TellingInTurn(Telling):
    """Where no callback that it was given wants to know of the end of batches, Keras reads the figures of a step in
    threads of its own, while training goes on (`callbacks/callback_list.py`, `_async_dispatch`). This one does, so
    that the same reads happen in the training thread, where they are counted."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch + 1 >= self.params["steps"]:
            self._measuring.batches_end()


def telling(measuring: Measuring) -> Telling:
    """A callback for exact measures, or for time, which is taken of what Keras does by itself."""
    return Telling(measuring) if isinstance(measuring, Timing) else TellingInTurn(measuring)


class HostSyncs(Watching):
    """Counts how often Python asks for the value of an eager tensor (`.numpy()`, `float()`, `if tensor`), and waits
    for it. All of these call the tensor's `_numpy_internal`; Keras's `convert_to_numpy` has NumPy read the tensor's
    buffer instead. Code that hands a tensor to NumPy by itself is not seen."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            self.count += argument.__name__ == "_numpy_internal"
        elif event == "call" and frame.f_code is CONVERT:
            self.count += _is_tensor(frame.f_locals["x"])


class GraphOperations(Measuring):
    """How many operations the model's `train_step` is in the graph that it was traced into last, those in the
    functions that it calls too. It is a size, before TensorFlow optimises the graph: of a step, and not of an epoch.
    A step that runs eagerly has none."""

    def __init__(self) -> None:
        super().__init__(nullcontext())
        self._steps: list[int] = []

    def attach(self, model: Any) -> None:
        inner = model.train_step

        def train_step(data: Any) -> Any:
            if not tf.inside_function():
                return inner(data)
            graph = tf.compat.v1.get_default_graph()
            before = len(graph.get_operations())
            result = inner(data)
            library = {each.signature.name: each.node_def for each in graph.as_graph_def().library.function}
            self._steps = [_size([operation.node_def for operation in graph.get_operations()[before:]], library)]
            return result

        model.train_step = train_step

    def begin(self) -> None:
        pass

    end = begin

    def result(self) -> dict[str, Any]:
        return {"steps": self._steps, "epoch": None}


def _size(nodes: Iterable[Any], library: dict[str, Any]) -> int:
    called = [value.func.name for node in nodes for value in node.attr.values() if value.HasField("func")]
    return len(list(nodes)) + sum(_size(library[name], library) for name in called)


class KerasMemory(Memory):
    """Bytes are those of eager tensors, which Python holds; variables and what TensorFlow's graph makes are not
    seen."""

    def __init__(self) -> None:
        super().__init__(nullcontext())

    def alive(self) -> dict[str, int]:
        held = [value for part in self._parts() for value in inside(vars(part))]
        return {
            "live_bytes": _bytes(gc.get_objects()),
            "held_bytes": _bytes(held),
            "held_values": sum(_is_tensor(value) or isinstance(value, (int, float)) for value in held),
        }

    def _parts(self) -> list[Any]:
        """The model, its layers and its metrics, each once."""
        parts = [self.model, *self.model.layers, *metrics_of(self.model)]
        return list({id(part): part for part in parts}.values())


def _is_tensor(value: Any) -> bool:
    return type(value) is tf.__internal__.EagerTensor


def _bytes(values: Iterable[Any]) -> int:
    tensors = {id(value): value for value in values if _is_tensor(value)}.values()
    return sum(each.dtype.size * each.shape.num_elements() for each in tensors if each.dtype.is_numpy_compatible)


MEASURES: dict[str, Callable[[], Measuring]] = {
    "python_calls": lambda: Counting(PythonCalls()),
    "operations": GraphOperations,
    "host_syncs": lambda: Counting(HostSyncs()),
    "memory": KerasMemory,
    "seconds": Timing,
}
