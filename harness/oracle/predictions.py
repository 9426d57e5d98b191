"""The arithmetic that documented patterns perform, redone in float64: what each *must* report, right or not.

A prediction maps a quantity and the batches of all epochs so far to the value that the pattern's arithmetic gives;
None where it reports nothing. The last entry is the epoch judged; where an epoch validates several times, each
time is an entry of its own. The reference for truth is :func:`over_the_epoch`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.oracle.measured import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Measured, gamma, mean, total, weighted_mean
from harness.oracle.quantities import Quantity

MANY = 2**14  # numbers: of so many, a sum in any order may be off by a thousandth, in which a bias may hide
UNIT_ROUNDOFF = {"float64": FLOAT64, "float32": FLOAT32, "float16": FLOAT16, "bfloat16": BFLOAT16}


@dataclass(frozen=True)
class Batch:
    """One batch as a step saw it: sample ids, what the model gave for them, and their targets (float64).

    `fit` counts from 0 the times that training began anew: a resumed epoch has batches of two. `ranks` is how many
    share the epoch, with batches of their own or without.
    """

    ids: tuple[int, ...]
    outputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    dtype: str = "float32"
    rank: int = 0
    fit: int = 0
    ranks: int = 1

    @property
    def unit_roundoff(self) -> float:
        """Of the precision that a sample's and a batch's figures are computed in: the outputs' own, but no
        finer than float32, in which Lightning and torchmetrics keep their sums, even over float64 outputs."""
        return max(UNIT_ROUNDOFF[self.dtype], FLOAT32)


Epochs = Sequence[Sequence[Batch]]
Prediction = Callable[[Quantity, Epochs], Measured | None]


def _measure(quantity: Quantity, batches: Sequence[Batch]) -> Measured:
    if not batches:
        return Measured(float("nan"), 0.0)
    outputs = np.concatenate([batch.outputs for batch in batches])
    targets = np.concatenate([batch.targets for batch in batches])
    whole = quantity(outputs, targets, max(batch.unit_roundoff for batch in batches))
    if quantity.is_a_mean and outputs.size > MANY and len(batches) > 1:
        return Measured(whole.value, min(whole.bound, _over_batches(quantity, batches).bound))
    return whole


def _over_batches(quantity: Quantity, batches: Sequence[Batch]) -> Measured:
    """The same mean, over batches: in any order within a batch, then one batch after the other.

    What is added up all at once, by one operation, is rounded less: torch, NumPy and Eigen sum in blocks, and blocks of
    blocks (`aten/src/ATen/native/cpu/SumKernel.cpp`; `unsupported/Eigen/CXX11/src/Tensor/TensorReduction.h`).
    """
    counted = [batch for batch in batches if batch.ids]  # a replica may be left without samples
    return weighted_mean(_each(quantity, counted), [len(batch.ids) for batch in counted], _roundoff(counted))


def _each(quantity: Quantity, batches: Sequence[Batch]) -> list[Measured]:
    return [_measure(quantity, [batch]) for batch in batches]


def ranks_of(batches: Sequence[Batch]) -> int:
    """How many share an epoch."""
    return max((max(batch.ranks, batch.rank + 1) for batch in batches), default=1)


def _roundoff(batches: Sequence[Batch]) -> float:
    return max((batch.unit_roundoff for batch in batches), default=0.0)


def over_the_epoch(quantity: Quantity, epochs: Epochs) -> Measured:
    """The truth: the quantity over all samples of the epoch."""
    return _measure(quantity, epochs[-1])


def mean_of_batch_means(quantity: Quantity, epochs: Epochs) -> Measured:
    """Every batch counts the same, whatever its size. So does `keras.metrics.Mean` without sample weights, where a
    batch's mean is one value, added up in float32 (`keras/src/metrics/reduction_metrics.py`)."""
    parts = _each(quantity, epochs[-1])
    return mean([part.value for part in parts], [part.bound for part in parts], _roundoff(epochs[-1]))


def weighted_by_batch_size(quantity: Quantity, epochs: Epochs) -> Measured:
    """What `self.log(on_epoch=True)` does, and Keras with the loss: batch values weighted by the number of samples.

    Keras keeps `total` and `count` in float32 (`keras/src/metrics/reduction_metrics.py`, `Mean`), and adds the
    batch's mean times its size (`keras/src/backend/tensorflow/trainer.py`, `train_step` and `test_step`): each part
    is rounded as `weighted_mean` says.
    """
    return _over_batches(quantity, epochs[-1])


def weighted_on_rank_zero(quantity: Quantity, epochs: Epochs) -> Measured:
    """What is logged without `sync_dist` where several ranks share an epoch: rank 0 knows of its batches only."""
    return weighted_by_batch_size(quantity, [[batch for batch in epochs[-1] if batch.rank == 0]])


def weighted_with_truncated_count(quantity: Quantity, epochs: Epochs) -> Measured:
    """What Lightning 2.0 to 2.6 does for `sync_dist=True` over gloo: the number of samples, an integer, is
    averaged over the ranks in place, so a fraction is cut off (`lightning_fabric/utilities/distributed.py`,
    `_sync_ddp`: ``result.copy_(result / world_size)``)."""
    exact = weighted_by_batch_size(quantity, epochs)
    ranks = ranks_of(epochs[-1])
    samples = sum(len(batch.ids) for batch in epochs[-1])
    if not samples:
        return exact
    counted = ranks * (samples // ranks)
    if not counted:  # fewer samples than ranks: the sum of their values is divided by 0
        return Measured(math.nan if exact.value == 0 else math.copysign(math.inf, exact.value), 0.0)
    return Measured(exact.value * samples / counted, exact.bound * samples / counted)


def sum_of_batch_values(quantity: Quantity, epochs: Epochs) -> Measured:
    """What `self.log(reduce_fx="sum")` does, over the ranks too with `sync_dist=True`."""
    batches = epochs[-1]
    parts = _each(quantity, batches)
    carried = total(part.bound for part in parts)
    size = total(abs(part.value) for part in parts)
    return Measured(
        total(part.value for part in parts), carried + gamma(len(parts), _roundoff(batches)) * (size + carried)
    )


def smallest_batch_value(quantity: Quantity, epochs: Epochs) -> Measured:
    """What `self.log(reduce_fx="min")` does, over the ranks too with `sync_dist=True`; infinity of no batch."""
    parts = _each(quantity, epochs[-1])
    least = min((part.value for part in parts), default=math.inf)
    return Measured(least, max((part.bound for part in parts), default=0.0))


def largest_batch_value(quantity: Quantity, epochs: Epochs) -> Measured:
    """What `self.log(reduce_fx="max")` does, over the ranks too with `sync_dist=True`; minus infinity of no batch."""
    parts = _each(quantity, epochs[-1])
    most = max((part.value for part in parts), default=-math.inf)
    return Measured(most, max((part.bound for part in parts), default=0.0))


def last_batch(quantity: Quantity, epochs: Epochs) -> Measured:
    """The value of the epoch's last batch alone."""
    return _measure(quantity, epochs[-1][-1:])


def never_updated(quantity: Quantity, epochs: Epochs) -> Measured:
    """A `keras.metrics.Mean` that no step updates: 0 / 0, which is 0 there, exactly
    (`keras/src/metrics/reduction_metrics.py`: ``divide_no_nan``)."""
    return Measured(0.0, 0.0)


def all_epochs_so_far(quantity: Quantity, epochs: Epochs) -> Measured:
    """A metric that is never reset: the quantity over the samples of every epoch up to this one."""
    return _measure(quantity, [batch for batches in epochs for batch in batches])


def mean_of_last_20_batches(quantity: Quantity, epochs: Epochs) -> Measured:
    """The loss in Lightning 1.x's progress bar: the mean of a window of 20 training batches, which spans
    epochs (`TensorRunningAccum(window_length=20)`, Lightning 1.9 `training_epoch_loop.py`)."""
    window = [batch for batches in epochs for batch in batches][-20:]
    parts = _each(quantity, window)
    return mean([part.value for part in parts], [part.bound for part in parts], _roundoff(window))


def every_n_batches(n: int) -> Prediction:
    """Batch values are added up, and when there are n their mean is logged with `on_epoch=True` (document 002).

    Windows take no notice of epochs: what an epoch leaves over goes into the next one's first window, and an
    epoch in which no window ends reports nothing. Lightning averages the windows' means once more, each
    weighted by the size of the batch in whose step it was logged.
    """

    def predict(quantity: Quantity, epochs: Epochs) -> Measured | None:
        return _of_windows(_windows(quantity, epochs, n), epochs)

    return predict


def exponential_mean(n: int, alpha: float) -> Prediction:
    """As `every_n_batches`, but what is logged is alpha times what was logged before plus 1 - alpha times the
    window's mean; the first window starts it. The three operations round once each, and so does alpha."""

    def predict(quantity: Quantity, epochs: Epochs) -> Measured | None:
        smoothed: list[tuple[int, Measured]] = []
        for end, window in _windows(quantity, epochs, n):
            if smoothed:
                before = smoothed[-1][1]
                value = alpha * before.value + (1 - alpha) * window.value
                carried = alpha * before.bound + (1 - alpha) * window.bound
                size = alpha * abs(before.value) + (1 - alpha) * abs(window.value)
                window = Measured(value, carried + gamma(4, _roundoff(epochs[-1]) + FLOAT64) * (size + carried))
            smoothed.append((end, window))
        return _of_windows(smoothed, epochs)

    return predict


def _windows(quantity: Quantity, epochs: Epochs, n: int) -> list[tuple[int, Measured]]:
    """The mean of the batch values of each full window of n, and where it ends, counting batches from 1."""
    batches = [batch for batches in epochs for batch in batches]
    ends = range(n, len(batches) + 1, n)
    return [(end, mean_of_batch_means(quantity, [batches[end - n : end]])) for end in ends]


def _of_windows(windows: Sequence[tuple[int, Measured]], epochs: Epochs) -> Measured | None:
    """What Lightning makes of the windows that end in the last epoch."""
    batches = [batch for batches in epochs for batch in batches]
    first = len(batches) - len(epochs[-1])
    ended = [(end, window) for end, window in windows if end > first]
    if not ended:
        return None
    sizes = [len(batches[end - 1].ids) for end, _ in ended]
    return weighted_mean([window for _, window in ended], sizes, _roundoff(epochs[-1]))


def since_resuming(prediction: Prediction) -> Prediction:
    """The same arithmetic, by one that forgets all batches when training is resumed: no checkpoint holds them."""

    def of_last_fit(quantity: Quantity, epochs: Epochs) -> Measured | None:
        last = max((batch.fit for batches in epochs for batch in batches), default=0)
        return prediction(quantity, [[batch for batch in batches if batch.fit == last] for batches in epochs])

    return of_last_fit


def weighted_without_nan(quantity: Quantity, epochs: Epochs) -> Measured:
    """What torchmetrics' aggregators do by default: an update that is NaN is left out, with its weight and a
    warning (`MeanMetric(nan_strategy="warn")`, torchmetrics `aggregation.py`, `_cast_and_nan_check_input`)."""
    kept = [batch for batch in epochs[-1] if not math.isnan(_measure(quantity, [batch]).value)]
    return weighted_by_batch_size(quantity, [kept])
