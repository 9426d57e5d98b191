"""What the steps of a history were given, and what they gave: samples whatever their order, and predictions as near as
rounding leaves them."""

from collections import Counter
from collections.abc import Hashable, Iterator
from itertools import chain, zip_longest
from typing import Any

import numpy as np

from harness.history.encoding import decode_array
from harness.history.reader import History, Operation
from harness.oracle.measured import FLOAT32, accumulation, gamma
from harness.oracle.predictions import UNIT_ROUNDOFF

Pass = tuple[str | None, int | None, int | None]  # stage, epoch and, but of training, the step at which it was


def passes(history: History) -> dict[Pass, list[Operation]]:
    """The steps of each pass over a stage's batches, on all ranks, in the order of the first of them."""
    found: dict[Pass, list[Operation]] = {}
    for operation in history.select("batch"):
        if operation.value and "ids" in operation.value:
            step = None if operation.stage == "train" else operation.step
            found.setdefault((operation.stage, operation.epoch, step), []).append(operation)
    return found


def given_the_same(a: History, b: History) -> bool:
    """Whether each pass was over the same samples, in as large batches, in whatever order."""
    return all(
        Counter(map(_size, one)) == Counter(map(_size, other)) and Counter(_samples(one)) == Counter(_samples(other))
        for one, other in _beside(a, b)
    )


def _beside(a: History, b: History) -> Iterator[tuple[list[Operation], list[Operation]]]:
    none: list[Operation] = []
    yield from zip_longest(passes(a).values(), passes(b).values(), fillvalue=none)


def _size(step: Operation) -> int:
    return len(step.value["ids"])


def _samples(steps: list[Operation]) -> Iterator[Hashable]:
    """By their ids; those of data of one's own, whose ids are no more than places in the pass, by their targets."""
    for step in steps:
        targets = step.value.get("targets")
        yield from step.value["ids"] if targets is None else (each.tobytes() for each in decode_array(targets))


def longest_pass(history: History) -> int:
    """How many samples a figure may be over, at most."""
    return max((sum(map(_size, steps)) for steps in passes(history).values()), default=0)


def rounding(samples: int, unit: float) -> float:
    """How far two figures over as many samples may lie apart by rounding, relative to the larger: twice the bound that
    `harness.oracle.measured.mean` has for a mean of terms of one sign."""
    return 2 * (gamma(samples + 5, accumulation(unit)) + 2 * unit)


def unit_roundoff(history: History) -> float:
    """Of the coarsest precision of its predictions; of float32 at least, in which weights are drawn whatever they are
    trained in, and figures reported."""
    steps = history.select("batch", "ok")
    return max(
        (FLOAT32, *(UNIT_ROUNDOFF.get(step.value["outputs"]["dtype"], 0.0) for step in steps if _predicts(step)))
    )


def predicted_alike(a: History, b: History) -> bool:
    """Whether predictions are as near as two sums of as many terms, in another order.

    A prediction is, to first order, the untrained network's and what every sample has added to the weights: as many
    terms as there were samples. Their sizes are in no history; the largest prediction of the pass stands for them. What
    cancels out to less than that is told as a difference; what is no floating-point number must be the same.
    """
    samples = max(sum(map(_size, chain(*passes(side).values()))) for side in (a, b))
    return all(_alike([*map(_outputs, one)], [*map(_outputs, other)], samples) for one, other in _beside(a, b))


def _predicts(step: Operation) -> bool:
    return bool(step.value.get("outputs"))


def _outputs(step: Operation) -> dict[str, Any]:
    return step.value.get("outputs") or {"dtype": "", "shape": [0], "stored": "float32", "base64": ""}


def _alike(a: list[dict[str, Any]], b: list[dict[str, Any]], samples: int) -> bool:
    """Of one pass, step by step."""
    if a == b:
        return True
    if [(each["dtype"], each["shape"]) for each in a] != [(each["dtype"], each["shape"]) for each in b]:
        return False
    kinds = {one["dtype"] for one, other in zip(a, b, strict=True) if one != other}
    if not kinds <= UNIT_ROUNDOFF.keys():
        return False
    one, other = (np.concatenate([decode_array(each).ravel() for each in side]).astype(np.float64) for side in (a, b))
    finite = np.isfinite(one) & np.isfinite(other)
    unit = max(FLOAT32, *(UNIT_ROUNDOFF[kind] for kind in kinds))
    bound = rounding(samples, unit) * np.abs([one[finite], other[finite]]).max(initial=0.0)
    near = np.abs(one[finite] - other[finite]) <= bound
    return bool(near.all() and np.array_equal(one[~finite], other[~finite], equal_nan=True))
