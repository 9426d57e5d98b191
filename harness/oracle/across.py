"""What becomes of an epoch's figure where several ranks share the epoch: each prediction is redone over what its
arithmetic sees, in float64."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from harness.oracle.measured import Measured, gamma, mean, total
from harness.oracle.predictions import Batch, Epochs, Prediction, over_the_epoch, ranks_of
from harness.oracle.quantities import Array, Quantity

Reduction = Literal["mean", "sum", "min", "max"]


def across(how: str, prediction: Prediction) -> Prediction:
    """A prediction as an aggregate says that it is made across ranks (`harness.scenario.Aggregate.across`)."""
    return {"samples": prediction, "rank_zero": of_rank_zero(prediction), "ranks": of_ranks(prediction)}[how]


def of_rank_zero(prediction: Prediction) -> Prediction:
    """The same arithmetic on rank 0, which knows of its own batches only."""

    def alone(quantity: Quantity, epochs: Epochs) -> Measured | None:
        return prediction(quantity, _of_rank(epochs, 0))

    return alone


def of_ranks(prediction: Prediction, by: Reduction = "mean") -> Prediction:
    """Every rank does the arithmetic on its own batches, and their figures are reduced, each rank's counting the same:
    as `Strategy.reduce` does, or `self.log(sync_dist=True)` in a hook that ends an epoch. None if a rank has none."""

    def reduced(quantity: Quantity, epochs: Epochs) -> Measured | None:
        figures = [prediction(quantity, _of_rank(epochs, rank)) for rank in range(ranks_of(epochs[-1]))]
        known = [figure for figure in figures if figure is not None]
        if len(known) < len(figures):
            return None
        u = max((batch.unit_roundoff for batch in epochs[-1]), default=0.0)
        values, bounds = [each.value for each in known], [each.bound for each in known]
        if by == "mean":
            return mean(values, bounds, u)
        if by == "sum":
            carried = total(bounds)
            return Measured(total(values), carried + gamma(len(known), u) * (total(map(abs, values)) + carried))
        return Measured(min(values) if by == "min" else max(values), max(bounds))

    return reduced


def share_of_a_replica(prediction: Prediction) -> Prediction:
    """The same arithmetic on losses that are divided by the number of replicas, so that their sum over replicas is the
    mean: what Keras's losses and `Model.compute_loss` give in a `tf.distribute` strategy
    (`keras/src/losses/loss.py`, `scale_loss_for_distribution`: times 1 / replicas, both rounded). A replica that the
    last batch leaves without samples has a loss of 0 (`reduce_values`: ``divide_no_nan``), which counts as any other.
    """

    def shared(quantity: Quantity, epochs: Epochs) -> Measured | None:
        replicas = ranks_of(epochs[-1])
        whole = prediction(_ZeroOfNothing(quantity.name, quantity.measure, quantity.is_a_mean), epochs)
        if whole is None or replicas == 1:
            return whole
        u = max((batch.unit_roundoff for batch in epochs[-1]), default=0.0)
        value, carried = whole.value / replicas, whole.bound / replicas
        return Measured(value, carried + gamma(2, u) * (abs(value) + carried))

    return shared


class _ZeroOfNothing(Quantity):
    def __call__(self, outputs: Array, targets: Array, u: float) -> Measured:
        return super().__call__(outputs, targets, u) if len(outputs) else Measured(0.0, 0.0)


def over_each_sample_once(quantity: Quantity, epochs: Epochs) -> Measured:
    """The quantity over the samples of the epoch as each was first seen, on whichever rank: one that is given out once
    more, so that all ranks have as many, counts once."""
    places: dict[int, int] = defaultdict(int)  # of each rank, how many batches there were before
    placed = []
    for batch in epochs[-1]:
        placed.append((places[batch.rank], batch.rank, batch))
        places[batch.rank] += 1
    seen: set[int] = set()
    first = [_first(batch, seen) for _, _, batch in sorted(placed, key=lambda each: each[:2])]
    return over_the_epoch(quantity, [[batch for batch in first if batch.ids]])


def _first(batch: Batch, seen: set[int]) -> Batch:
    """What of a batch was not seen before; it is, from now on."""
    kept = []
    for row, sample in enumerate(batch.ids):
        if sample not in seen:
            seen.add(sample)
            kept.append(row)
    return replace(
        batch, ids=tuple(batch.ids[row] for row in kept), outputs=batch.outputs[kept], targets=batch.targets[kept]
    )


def _of_rank(epochs: Epochs, rank: int) -> Sequence[Sequence[Batch]]:
    return [[batch for batch in batches if batch.rank == rank] for batches in epochs]
