"""What killed and resumed trainings did to the records of their epochs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attempts import Attempt


@dataclass
class Judgement:
    """Epochs with a record that is not as promised, and what else was found.

    Attributes:
        lost: no record, though the checkpoint that training resumes from calls the epoch complete, or training is
            through.
        doubled: more than one record.
        premature: a record, though what is trained has not completed the epoch: not yet, or not again since training
            went back to an earlier one.
        wrong: figures other than those of the training that nobody killed.
        damaged: why the file of records or the checkpoint cannot be read, or training not resumed.
    """

    lost: set[int] = field(default_factory=set)
    doubled: set[int] = field(default_factory=set)
    premature: set[int] = field(default_factory=set)
    wrong: set[int] = field(default_factory=set)
    damaged: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return any(vars(self).values())


def judge(attempts: Sequence[Attempt], reference: Mapping[int, Any]) -> Judgement:
    """Look at the folder as each attempt left it; the last one trained to the end.

    Args:
        reference: the figures of each epoch, from a training that was not killed.
    """
    found = Judgement()
    complete: set[int] = set()
    for attempt in attempts:
        for what, epoch in attempt.told:
            # What is trained now has not come past the epoch that begins, whatever was trained before.
            complete = {*complete, epoch} if what == "complete" else {other for other in complete if other < epoch}
        found.damaged += [*attempt.damaged, *attempt.error.splitlines()[-1:]]
        if attempt.recorded is None:
            continue
        count = Counter(epoch for epoch, _ in attempt.recorded)
        through = attempt.status == 0
        found.lost |= set(reference if through else range(attempt.done)) - set(count)
        found.doubled |= {epoch for epoch, times in count.items() if times > 1}
        found.premature |= set(count) - complete
    found.wrong = {epoch for epoch, figures in attempts[-1].recorded or () if figures != reference.get(epoch)}
    return found
