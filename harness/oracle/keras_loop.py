"""What Keras 3 must do on TensorFlow: the documented order of its callbacks, and what becomes of a `fit` that fails.

What no documentation says is taken from the source of 3.15: `backend/tensorflow/trainer.py` (`fit`),
`trainers/epoch_iterator.py` (how data ends), `trainers/data_adapters/generator_data_adapter.py` (what is kept of a
generator).
"""

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
    told_again=("train",),  # by `_get_metrics_result_or_logs` (`trainers/trainer.py`); of validation nothing is left
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
        """What Keras takes of what a loader has, by what that says of its length; a batch begins before it is known to
        be there.

        Raises:
            Cut: it said more than it has.
        """
        # A generator that has run dry gives what Keras kept of it.
        ran_dry = any(_is("runs_dry", "train", fault) for fault in self.reached)
        kept = iter(range(min(KEPT, self.plan.batches[stage])))
        source = kept if stage == "train" and ran_dry else self.passes_over(stage, epoch)
        given, says = 0, self._takes(stage, epoch)
        while given != says:
            self.strike("step", stage, epoch, given, ["process"])  # signals are dealt with between steps
            self.call(self.order.batch[stage][0], stage, epoch)
            batch = next(source, None)
            if batch is None:
                break
            yield batch
            given += 1
        if given == self.plan.batches[stage] < self._says[stage]:
            raise Cut(Ending("raises", IN_THE_GRAPH))

    def _takes(self, stage: str, epoch: int) -> float:
        """How many batches Keras asks for at most. In training, a loader that cannot say how many it has is held to one
        more than it had in its first epoch (`epoch_iterator.py`: `_steps_seen`, which counts the one that was missing,
        becomes `_num_batches`)."""
        if any(_is("never_ends", stage, fault) for fault in self.plan.faults):
            return self._says[stage] + 1 if stage == "train" and epoch > 0 else math.inf
        if stage == "validation" and any(_is("runs_dry", stage, fault) for fault in self.plan.faults):
            return math.inf  # such a loader says nothing either; of training, the number of steps is told
        return self._says[stage]

    def begin(self, stage: str, epoch: int) -> None:
        """Done already, when the batch was asked for."""

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


def _is(kind: str, stage: str, fault: Fault) -> bool:
    return (fault.kind, fault.stage) == (kind, stage)
