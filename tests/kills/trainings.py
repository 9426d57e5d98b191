"""Trainings with one kind of callback, killed at given moments."""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from attempts import Attempt, Attempts
from events import Kill
from judging import Judgement, judge

PARTS = 1000
# Where Linux cuts off a write for SIGKILL: `generic_perform_write` asks for it before each page.
PAGES = tuple(4096 * number for number in range(4))
# Where a full disk may.
ANYWHERE = (0, *(2**bits for bits in range(15)))


@dataclass(frozen=True)
class Moment:
    """After `part` thousandths of the events of a training that nobody kills; see :class:`events.Kill` for bytes."""

    part: int
    after_bytes: int | None

    def of(self, events: int) -> Kill:
        return Kill(1 + self.part * events // PARTS, self.after_bytes)


def moments(generator: random.Random, sizes: Sequence[int], count: int = 3) -> list[Moment]:
    """Anywhere, or in the first sixth, which is soon after training was resumed; half of them in mid-write."""
    return [
        Moment(
            generator.randrange(generator.choice([PARTS, PARTS // 6])),
            generator.choice([None, generator.choice(sizes)]),
        )
        for _ in range(count)
    ]


@dataclass(frozen=True)
class Killed:
    """A training that was killed, resumed each time, and came through; what each attempt left, and the judgement."""

    made: list[Attempt]
    found: Judgement

    @property
    def kills(self) -> int:
        return sum(attempt.status < 0 for attempt in self.made)


class Trainings:
    """Makes trainings in folders of their own, below one that is given.

    Args:
        reference: the figures of each epoch; those of this callback, in a training that nobody kills, by default.
    """

    def __init__(self, attempts: Attempts, kind: str, below: Path, reference: Mapping[int, Any] | None = None) -> None:
        self._attempts, self._kind, self._below = attempts, kind, below
        self.whole = attempts.make(kind, self._folder())
        assert self.whole.status == 0, self.whole.error
        self.reference = dict(self.whole.recorded or []) if reference is None else reference

    def killed(self, moments: Sequence[Moment]) -> Killed:
        """A training that is killed at each of these in turn.

        If it ends before it is killed, it has ended. If it cannot be resumed, it starts over.
        """
        folder = self._folder()
        made: list[Attempt] = []
        kills: Iterator[Kill | None] = iter([moment.of(self.whole.events) for moment in moments])
        for kill in chain(kills, repeat(None, 2)):
            made.append(self._attempts.make(self._kind, folder, kill))
            if made[-1].status == 0:
                return Killed(made, judge(made, self.reference))
        raise AssertionError(f"training does not come through: {made[-1].error}")

    def _folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._below))
