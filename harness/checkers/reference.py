"""The trial that another is to be the same as: whether it can be compared with, and in which epochs."""

from harness.checkers.case import Case
from harness.history.reader import Operation


def unusable(case: Case) -> str:
    """Why a trial cannot be compared with what it is to be the same as; empty if it can."""
    id = case.scenario.same_as
    if case.reference is None:
        return f"there is no trial of {id} on {case.trial.workload} to compare it with"
    return "" if case.reference.completed else f"the trial of {id} that it is compared with did not complete"


def weights_after(case: Case, epoch: int) -> Operation | None:
    """What was noted of them at the end of an epoch; before that, they were noted when training began."""
    noted = list(case.told.select("weights", epoch=epoch))
    return noted[-1] if noted else None


def same_weights(case: Case, epoch: int) -> bool:
    """Whether, at the end of an epoch, they were those of the reference."""
    mine = weights_after(case, epoch)
    theirs = weights_after(case.reference, epoch) if case.reference else None
    return mine is not None and theirs is not None and mine.value == theirs.value
