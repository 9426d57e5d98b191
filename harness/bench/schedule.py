"""When training and validation would be done if nothing but they took time: what measured times are held against."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

MOST_EPOCHS = 200


def completions(releases: Sequence[float], duration: float, workers: int) -> list[float]:
    """When each job is done, if it may begin at its release and takes `duration` on the worker that is free first.

    Jobs are taken in the order given. No order does better for the last one: all take the same time, so that only
    how many have begun by when counts.
    """
    free = [float("-inf")] * workers
    done = []
    for release in releases:
        done.append(max(release, heapq.heappop(free)) + duration)
        heapq.heappush(free, done[-1])
    return done


def sequential_s(epochs: int, train_s: float, validation_s: float) -> float:
    return epochs * (train_s + validation_s)


def ideal_s(epochs: int, train_s: float, validation_s: float, workers: int = 1) -> float:
    """The wall time of a training that never waits, if each epoch is validated by one of so many workers."""
    ends = [train_s * epoch for epoch in range(1, epochs + 1)]
    return max(ends[-1], completions(ends, validation_s, workers)[-1])


@dataclass(frozen=True)
class Overhead:
    """What a strategy takes besides training and validating, in seconds.

    Attributes:
        start_up: by which the first epoch ends later.
        hand_off: of every epoch, in which training waits.
        latency: from a hand-off until the first batch is validated.
        tear_down: from the last validated batch, or the end of training, to the end.
    """

    start_up: float = 0.0
    hand_off: float = 0.0
    latency: float = 0.0
    tear_down: float = 0.0


def predicted_s(epochs: int, train_s: float, validation_s: float, workers: int, overhead: Overhead) -> float:
    """As `ideal_s`, with what the strategy takes besides."""
    epoch_s = train_s + overhead.hand_off
    ends = list(accumulate([overhead.start_up + epoch_s, *[epoch_s] * (epochs - 1)]))
    results = completions(ends, overhead.latency + validation_s, workers)
    return max(ends[-1], *results) + overhead.tear_down


def break_even_epochs(train_s: float, validation_s: float, workers: int | None, overhead: Overhead) -> int | None:
    """The fewest epochs for which it is predicted to take less time than sequential validation; None if it does not for
    `MOST_EPOCHS`.

    Args:
        workers: None for one of its own for every epoch.
    """

    def wins(epochs: int) -> bool:
        parallel = predicted_s(epochs, train_s, validation_s, workers or epochs, overhead)
        return parallel < sequential_s(epochs, train_s, validation_s)

    return next((epochs for epochs in range(1, MOST_EPOCHS + 1) if wins(epochs)), None)


def break_even_validation_s(epochs: int, train_s: float, workers: int, overhead: Overhead) -> float | None:
    """How long validation must take for parallel validation to be predicted to pay in so many epochs; None if it never
    does.

    What it saves never falls as validation takes longer: each second more costs sequential validation one in every
    epoch, and a schedule at most as many. So the place is found by halving, to a thousandth of an epoch.
    """

    def wins(validation_s: float) -> bool:
        parallel = predicted_s(epochs, train_s, validation_s, workers, overhead)
        return parallel < sequential_s(epochs, train_s, validation_s)

    low, high = 0.0, MOST_EPOCHS * train_s
    if not wins(high):
        return None
    while high - low > train_s / 1000:
        middle = (low + high) / 2
        low, high = (low, middle) if wins(middle) else (middle, high)
    return high
