"""How a workload's samples are cut into batches, as text.

`train=2x32+5,validation=3+1~7` reads: batches of 32, 32 and 5 samples to train on, of 3 and 1 to validate on,
the latter in the order that seed 7 gives.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.workloads.workload import split

_RUN = r"(?:[1-9]\d*x)?[1-9]\d*"
_CUT = rf"({_RUN}(?:\+{_RUN})*)(?:~(\d+))?"
_PARTITION = re.compile(rf"train={_CUT},validation={_CUT}")


@dataclass(frozen=True)
class Cut:
    """The batches of one stage.

    Attributes:
        runs: (count, size): so many batches of that size, one run after the other.
        order: seed of a permutation of the samples; None leaves them as they were drawn.
    """

    runs: tuple[tuple[int, int], ...]
    order: int | None = None

    @staticmethod
    def into(sizes: Sequence[int], order: int | None = None) -> "Cut":
        return Cut(tuple((len(list(run)), size) for size, run in groupby(sizes)), order)

    @property
    def samples(self) -> int:
        return sum(count * size for count, size in self.runs)

    def apply(self, ids: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
        """`ids` of shape (samples,), in batches."""
        if self.order is not None:
            ids = np.random.default_rng(self.order).permutation(ids)
        return split(ids, np.array([size for count, size in self.runs for _ in range(count)]))

    def __str__(self) -> str:
        sizes = "+".join(str(size) if count == 1 else f"{count}x{size}" for count, size in self.runs)
        return sizes if self.order is None else f"{sizes}~{self.order}"


@dataclass(frozen=True)
class Partition:
    train: Cut
    validation: Cut

    @property
    def samples(self) -> int:
        return self.train.samples + self.validation.samples

    def __str__(self) -> str:
        return f"train={self.train},validation={self.validation}"


def parse(text: str) -> Partition:
    """Raises:
    UsageError: malformed.
    """
    found = _PARTITION.fullmatch(text)
    if not found:
        raise UsageError(
            f"malformed partition {text!r}: write the sizes of batches, for example "
            f"'train=2x32+5,validation=3+1', and ~SEED behind them for another order of the samples"
        )
    train, train_order, validation, validation_order = found.groups()
    return Partition(_cut(train, train_order), _cut(validation, validation_order))


def _cut(sizes: str, order: str | None) -> Cut:
    runs = (run.rpartition("x") for run in sizes.split("+"))
    return Cut(tuple((int(count or 1), int(size)) for count, _, size in runs), int(order) if order else None)
