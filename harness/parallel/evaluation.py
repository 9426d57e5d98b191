"""What a worker does with every epoch of a Keras training: a model of its own evaluates the weights.

Keras is imported in the worker only: whoever imports this need not wait for it.
"""

import hashlib
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.parallel.memory import Memory

Build = Callable[[], Any]
Data = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Figures:
    """What `model.evaluate` returned, and the digest of the weights that it evaluated."""

    metrics: Mapping[str, float]
    digest: str


@dataclass(frozen=True)
class Sent:
    """Is sent to a process that knows nothing.

    Attributes:
        content: `build` and `data`, pickled: unpickling them may take seconds of imports, and the worker must have
            begun before, to notice if the process that trains goes.
        threads: of TensorFlow, between operations and within one.
        memory: where the weights are.
    """

    content: bytes
    threads: tuple[int, int] | None
    memory: Memory

    def __call__(self) -> "Evaluation":
        if self.threads is not None:
            import tensorflow as tf

            tf.config.threading.set_inter_op_parallelism_threads(self.threads[0])
            tf.config.threading.set_intra_op_parallelism_threads(self.threads[1])
        build, data = pickle.loads(self.content)
        return Evaluation(build, data, self.memory)


class Evaluation:
    """Called with the slot of the weights, and whatever."""

    def __init__(self, build: Build, data: Data, memory: Memory) -> None:
        self._model, self._arguments = build(), {"verbose": 0, **data()}
        self._memory = memory

    def __call__(self, request: tuple[int, bytes]) -> Figures:
        """Raises ValueError: the model does not hold the weights as they are, those of another dtype for one."""
        weights = self._memory.read(request[0])
        self._model.set_weights(weights)
        held = digest(self._model.get_weights())
        if held != digest(weights):
            raise ValueError("`build` returns another model than is trained: it cannot hold its weights to the bit")
        return Figures(self._model.evaluate(**self._arguments, return_dict=True), held)


def digest(arrays: Iterable[Any]) -> str:
    """BLAKE2b of their bytes, in order, in hexadecimal."""
    found = hashlib.blake2b(digest_size=16)
    for array in arrays:
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
