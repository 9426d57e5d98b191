"""Where a trial stood when a line of its history was written, and where a checker did that raised, for people."""

from dataclasses import dataclass

from harness.engine.place import of_exception
from harness.history.reader import History, Operation

TOLD_OF_AN_EXCEPTION = ("on_exception", "finalize")  # it was raised before


@dataclass(frozen=True)
class Place:
    """`words` go after what happened there (`in on_train_epoch_end, epoch 1`); `lines` of the history say so."""

    epoch: int | None
    words: str
    lines: tuple[int, ...]


def before(history: History, line: int) -> Place:
    """The place in which the operation of a line happened.

    That is in the innermost step or hook that had begun and not ended; or else in the innermost of those that an
    exception had just left, of which only callbacks were told since; or else after the last that was seen.

    Args:
        history: of one rank.
    """
    begun: list[Operation] = []
    left: Operation | None = None
    last: Operation | None = None
    for operation in history.operations:
        if operation.line >= line:
            break
        ends = bool(begun) and begun[-1].f == operation.f and operation.type in ("ok", "fail")
        if not ends and not _is_event(operation):
            continue
        last = operation
        if operation.type == "invoke":
            begun.append(operation)
        elif ends:
            begun.pop()
        if operation.type != "fail":
            left = None
        elif left is None:
            left = operation
    inside = left or (begun[-1] if begun else None)
    if inside:
        return Place(inside.epoch, f"in {_named(inside)}", (inside.line,))
    if last:
        return Place(last.epoch, f"after {_named(last)}", (last.line,))
    return Place(None, "before training began", ())


def told(error: Exception) -> str:
    """What was raised, and at which line: in the scenario's own code if it passed through that."""
    return f"{type(error).__name__}: {error} ({of_exception(error)})"


def is_request(operation: Operation) -> bool:
    """What is asked of a Trainer, in which steps and hooks are; itself neither."""
    return operation.f == "checkpoint" or operation.f.startswith("Trainer.")


def _is_event(operation: Operation) -> bool:
    """A step or a hook (a callback's has neither begin nor end), and not what was noted in it."""
    if is_request(operation) or operation.f.rpartition(".")[2] in ("trial", "fault", *TOLD_OF_AN_EXCEPTION):
        return False
    return operation.f == "batch" or operation.f.startswith("on_") or operation.type in ("invoke", "fail")


def _named(operation: Operation) -> str:
    what = operation.f
    if what == "batch":
        what = f"the {operation.stage} step" + ("" if operation.batch is None else f" of batch {operation.batch}")
    elif operation.stage == "sanity":
        what += " of the sanity check"
    return what if operation.epoch is None else f"{what}, epoch {operation.epoch}"
