"""What Keras 3 must do on TensorFlow: the documented order of its callbacks, and what becomes of a `fit` that fails."""

import math
import signal
from collections.abc import Iterator

from harness.faults.fault import Fault
from harness.oracle.loops import AFTER, BEFORE, HANGS, Cut, Ending, Loop, Order, Owner, Plan

ORDER = Order(
    source="Keras API, Base Callback class; guide 'Writing your own callbacks' (Keras 3.15)",
    start=("on_train_begin",),
    epoch_start=("on_epoch_begin",),
    batch={
        "train": ("on_train_batch_begin", "on_train_batch_end"),
        "validation": ("on_test_batch_begin", "on_test_batch_end"),
    },
    validation=(("on_test_begin",), ("on_test_end",)),
    epoch_end=("on_epoch_end",),
    end=("on_train_end",),
    told_again=("train",),
)
# Batches that it takes from a generator to learn their shapes, and begins every iteration over it with
# (`keras/src/trainers/data_adapters/generator_data_adapter.py`, `peek_and_restore`).
KEPT = 2
# What is raised in the graph, or in what feeds it, reaches the caller as TensorFlow's own exception.
IN_THE_GRAPH = ("UnknownError",)
RAISES = {
    "exception": Ending("raises", IN_THE_GRAPH, unchanged=False),
    "getitem_raises": Ending("raises", IN_THE_GRAPH, unchanged=False),
    "replica_raises": Ending("raises", IN_THE_GRAPH, unchanged=False),
    "batch_changes_shape": Ending("raises", ("InvalidArgumentError",)),
    "labels_raise": Ending("raises", ("InvalidArgumentError",)),
    "out_of_memory": Ending("raises", ("ResourceExhaustedError",)),
    "raises_before": Ending("raises", ("InjectedError",)),
    "raises_after": Ending("raises", ("InjectedError",)),
    "checkpoint_no_space": Ending("raises", ("OSError",)),
    "checkpoint_read_only": Ending("raises", ("OSError", "FileNotFoundError", "PermissionError")),
    "interrupt": Ending("raises", ("KeyboardInterrupt",)),
    "interrupt_twice": Ending("raises", ("KeyboardInterrupt",)),
    "sys_exit": Ending("raises", ("SystemExit",)),
    "terminate": Ending("dies", status=-signal.SIGTERM),
    "kill": Ending("dies", status=-signal.SIGKILL),
    "hangs": HANGS,
}


class KerasLoop(Loop):
    """Checkpoints are taken to be saved when epochs end."""

    order = ORDER

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._says = dict(plan.batches)  # how many batches the loaders say they have
        self._must_stop = False

    def owners(self, hook: str) -> Iterator[Owner]:
        yield from [BEFORE, *self.plan.owners, AFTER]

    def epoch(self, epoch: int) -> None:
        for batch in self.given("train", epoch):
            self.step("train", epoch, batch)
            if self.stopping:
                break
        if self.plan.validates(epoch):
            self.validate(epoch)

    def given(self, stage: str, epoch: int) -> Iterator[int]:
        """What Keras takes of what a loader has, by what that says of its length. In training, one that cannot say is
        held to one batch more than it had in its first epoch. A generator that has run dry gives what Keras kept of it.

        Raises:
            Cut: it said more than it has.
        """
        says: float = self._says[stage]
        unending = any((each.kind, each.stage) == ("never_ends", stage) for each in self.plan.faults)
        if stage == "train" and not unending and any(_ran_dry(fault) for fault in self.reached):
            yield from range(min(KEPT, self.plan.batches[stage]))
            return
        if unending:
            says = says + 1 if stage == "train" and epoch > 0 else math.inf
        given = 0
        for given, batch in enumerate(self.passes_over(stage, epoch), 1):
            yield batch
            if given == says:
                return
        if given == self.plan.batches[stage] < self._says[stage]:
            raise Cut(Ending("raises", IN_THE_GRAPH))

    def before_step(self, stage: str, epoch: int, batch: int) -> None:
        """Signals are dealt with in the main thread, which a step is not in."""
        self.strike("step", stage, epoch, batch, ["process"])

    def within_step(self, stage: str, epoch: int, batch: int) -> None:
        self.strike("step", stage, epoch, batch, ["step", "strategy"])

    def called(self, owner: Owner, hook: str, epoch: int | None) -> None:
        if hook == "on_epoch_end" and owner.kind == "checkpoint":
            self.strike("save", "train", epoch)
        if hook == "on_epoch_end" and owner.kind == "monitor" and self._must_stop:
            self.stopping = True

    def take(self, stage: str, epoch: int, batch: int) -> None:
        pass

    def effect(self, fault: Fault) -> None:
        if fault.kind in RAISES:
            raise Cut(RAISES[fault.kind])
        if fault.kind == "os_exit":
            raise Cut(Ending("dies", status=fault.parameter("status")))
        if fault.kind == "stop_requested":
            self.stopping = True
        elif fault.kind == "early_stopping":
            self._must_stop = True
        elif fault.kind in ("length_too_long", "length_too_short"):
            self._says[fault.stage] += fault.parameter("by") * (1 if fault.kind == "length_too_long" else -1)


def _ran_dry(fault: Fault) -> bool:
    return (fault.kind, fault.stage) == ("runs_dry", "train")
