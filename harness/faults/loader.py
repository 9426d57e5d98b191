"""What goes wrong where batches come from: in a pass over the batches of a stage, in any framework."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from harness.faults.fault import Fault, InjectedError
from harness.faults.injector import Injector
from harness.history.encoding import encode_error

B = TypeVar("B")
PATIENCE_S = 0.25  # that the other threads of a process may go on once it hangs
BLOCKING = ("loader.hangs", "loader.never_ends", "loader.worker_killed")  # what may have it hang
EXTRA_PASSES = 5  # of a loader that never ends; then it waits, so that a history does not fill the disk


def block() -> None:
    """Wait for what never happens. The process is not waited for until its limit: SIGALRM ends it after a while."""
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        threading.Event().wait()
    finally:  # a handler of another signal may raise
        signal.setitimer(signal.ITIMER_REAL, 0)


def fetched(fault: Fault, injector: Injector, index: int) -> None:
    """Note that a fault strikes where a batch is fetched; if it hangs, this does not return."""
    raised = encode_error(InjectedError(fault.message)) if fault.kind == "getitem_raises" else None
    injector.fire(fault, index, raised)
    if fault.kind == "hangs":
        block()


def faulty_pass(
    batches: Sequence[B],
    injector: Injector,
    stage: str,
    epoch: int | None,
    strike: Callable[[Fault, int], None],
    ready: Callable[[int], None] = lambda _: None,
) -> Iterator[B]:
    """The batches of a pass as a faulty loader gives them.

    Args:
        strike: does what the framework has a part in, once it is noted, before the batch is given.
        ready: called before a fault is noted; returns when training has come as far as the batch with this index.
    """
    for index, batch in enumerate(batches):
        for fault in injector.due("fetch", stage, epoch, index):
            ready(index)
            fetched(fault, injector, index)
            if fault.kind == "runs_dry":
                return
            strike(fault, index)
        yield batch
    for fault in injector.due("iterate", stage, epoch, kinds=["loader.never_ends"]):
        ready(len(batches))
        injector.fire(fault)
        for _ in range(EXTRA_PASSES):
            yield from batches
        block()


def told_length(batches: int, injector: Injector, stage: str) -> int | None:
    """How many batches a loader says that it has, for as long as it is there; None if it cannot say."""
    for fault in injector.due("length", stage, 0):
        by: int = fault.parameter("by")
        says = batches + by if fault.kind == "length_too_long" else batches - by
        injector.fire(fault, value={"says": says, "has": batches})
        return says
    return None if injector.plans("loader.never_ends", stage) else batches
