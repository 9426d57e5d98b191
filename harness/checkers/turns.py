"""Which pass over a stage's batches an operation belongs to, where an epoch validates more than once."""

from bisect import bisect_right
from collections import defaultdict

from harness.history.reader import History, Operation

Pass = tuple[int, int]  # an epoch, and the turn within it, counted from 0


class Turns:
    """A validation begins where callbacks are told that it does; a training epoch has one turn, resumed or not."""

    def __init__(self, history: History) -> None:
        self._starts: dict[tuple[int, int | None], list[int]] = defaultdict(list)
        for start in history.select("on_validation_epoch_start", "info", stage="validation"):
            self._starts[start.rank, start.epoch].append(start.line)

    def of(self, operation: Operation, stage: str, epoch: int) -> Pass:
        """The pass of `stage` in `epoch` that was the last to begin when the operation happened, or the first."""
        if stage != "validation":
            return epoch, 0
        return epoch, max(0, bisect_right(self._starts[operation.rank, epoch], operation.line) - 1)


def named(of: Pass) -> str:
    """For people."""
    epoch, turn = of
    return f"epoch {epoch}" if turn == 0 else f"epoch {epoch}, turn {turn}"
