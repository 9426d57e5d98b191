"""What is measured of training, whatever the framework: a meter is read whenever a training batch or epoch starts.

What is read between two starts holds the framework's own loop and logging, not only the step. An adapter tells
when they start. Each meter is used in a process of its own, so that none is measured by another.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, Protocol

TIMED_S = 0.5


class Measuring:
    """Measures the epoch after the warm-up, up to the start of the next one, where training may stop.

    Attributes:
        warm_up: epochs in which caches fill, and the optimiser makes its state.
        meter: is to be entered around the whole training.
        network: the shapes of the parameters that were trained.
    """

    warm_up = 2

    def __init__(self, meter: AbstractContextManager[Any]) -> None:
        self.max_epochs = self.warm_up + 2
        self.meter = meter
        self.network: list[list[int]] = []
        self._epoch = -1
        self._batches = 0

    def begin(self) -> None:
        """The measured epoch starts."""
        raise NotImplementedError

    def step(self, batch: int) -> None:
        """A batch of the measured epoch starts."""

    def end(self) -> None:
        """The measured epoch is over, its hooks too."""
        raise NotImplementedError

    def result(self) -> dict[str, Any]:
        raise NotImplementedError

    def attach(self, model: Any) -> None:
        """The model will train."""

    def training_begins(self, parameters: Sequence[Any], batches: int) -> None:
        self.network = [list(parameter.shape) for parameter in parameters]
        self._batches = batches
        gc.collect()
        gc.disable()  # whenever it ran, it would run finalisers, and take time
        gc.freeze()

    def epoch_begins(self, epoch: int) -> None:
        self._epoch = epoch
        if epoch == self.warm_up:
            self.begin()
        elif epoch == self.warm_up + 1:
            self.end()

    def batch_begins(self, batch: int) -> bool:
        """Return whether training may stop now: not before a batch, without which hooks of the model might fail."""
        if self._epoch == self.warm_up:
            self.step(batch)
        return self._epoch > self.warm_up

    def batches_end(self) -> None:
        """The last training batch of an epoch is done."""

    def validation_begins(self) -> None:
        """What happens until `validation_ends` is not to be measured."""

    def validation_ends(self) -> None:
        pass


class Running(Measuring):
    """Of what only ever grows. Where training cannot go without validation, that is left out."""

    def __init__(self, meter: AbstractContextManager[Any]) -> None:
        super().__init__(meter)
        self._left_out: Any = 0
        self._since: Any = 0

    def read(self) -> Any:
        raise NotImplementedError

    def now(self) -> Any:
        return self.read() - self._left_out

    def validation_begins(self) -> None:
        self._since = self.read()

    def validation_ends(self) -> None:
        self._left_out += self.read() - self._since


class Counter(AbstractContextManager[Any], Protocol):
    """Counts while its block runs."""

    @property
    def count(self) -> int: ...


class Counting(Running):
    """An exact counter, for each step from one batch's start to the next, and for the epoch. Where several batches
    are one execution, each has an equal part of it."""

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter)
        self._counter = counter
        self._ends: list[int] = []
        self._steps: list[tuple[int, int]] = []

    def read(self) -> int:
        return self._counter.count

    def begin(self) -> None:
        self._ends.append(self.now())

    end = begin

    def step(self, batch: int) -> None:
        self._steps.append((batch, self.now()))

    def result(self) -> dict[str, Any]:
        first, last = self._ends
        steps = [_each(count - before, batch - earlier) for (earlier, before), (batch, count) in pairwise(self._steps)]
        return {"steps": steps, "epoch": last - first}


def _each(total: int, parts: int) -> float:
    return total / parts if total % parts else total // parts


class Memory(Measuring):
    """How much is alive beyond what was when the epoch started: at most, between two steps, and still when the next
    epoch starts.

    `live_bytes` of tensors, whoever holds them; `held_bytes` of those that the model holds; `held_values`: tensors
    and numbers that the model holds; `objects` that the garbage collector knows.
    """

    warm_up = 1  # every batch of it is slow, with a mode around its operations

    def __init__(self, meter: AbstractContextManager[Any]) -> None:
        super().__init__(meter)
        self.model: Any = None
        self._before: dict[str, int] = {}
        self._peak: dict[str, int] = {}
        self._after: dict[str, int] = {}

    def alive(self) -> dict[str, int]:
        """What is alive now, the objects aside."""
        raise NotImplementedError

    def attach(self, model: Any) -> None:
        self.model = model

    def _read(self) -> dict[str, int]:
        gc.collect()
        return {**self.alive(), "objects": len(gc.get_objects())}

    def begin(self) -> None:
        self._before = self._peak = self._read()

    def step(self, batch: int) -> None:
        now = self._read()
        self._peak = {name: max(now[name], most) for name, most in self._peak.items()}

    def batches_end(self) -> None:
        if self._epoch == self.warm_up:
            self.step(self._batches)

    def end(self) -> None:
        self._after = self._read()

    def result(self) -> dict[str, Any]:
        return {
            # Of bytes: how many objects there are depends on what was imported.
            "before": {name: alive for name, alive in self._before.items() if name.endswith("_bytes")},
            "peak": {name: most - self._before[name] for name, most in self._peak.items()},
            "retained": {name: after - self._before[name] for name, after in self._after.items()},
        }


def _go_on() -> None:
    pass


def _alone(done: bool) -> bool:
    return done


class Timing(Running):
    """Seconds per step of as many epochs as take `TIMED_S`, each from its start to the next one's: so what a
    pattern does once in a while or at the epoch's end has its share.

    Args:
        wait: for what has been started and is not done.
        take_turns: called between epochs, with whether this process is done; returns whether it is to end.
    """

    def __init__(self, wait: Callable[[], None] = _go_on, take_turns: Callable[[bool], bool] = _alone) -> None:
        super().__init__(nullcontext())
        self.max_epochs = sys.maxsize
        self._wait = wait
        self._take_turns = take_turns
        self._seconds: list[float] = []
        self._began: float | None = None
        self._over = False

    def read(self) -> float:
        self._wait()
        return time.perf_counter()

    def epoch_begins(self, epoch: int) -> None:
        if epoch < self.warm_up:
            return
        if self._began is not None:
            self._seconds.append(self.now() - self._began)
        self._over = self._take_turns(sum(self._seconds) >= TIMED_S)
        self._began = self.now()

    def batch_begins(self, batch: int) -> bool:
        return self._over

    def result(self) -> dict[str, Any]:
        return {"seconds_per_step": [seconds / self._batches for seconds in self._seconds]}


def inside(value: Any) -> Iterable[Any]:
    """What dictionaries, lists and tuples hold, however deep."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        yield value
        return
    for item in value:
        yield from inside(item)
