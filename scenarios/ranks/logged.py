"""What `self.log` makes of an epoch that ranks share: without `sync_dist`, with it by each `reduce_fx`, on rank 0 only,
and under a key that no rank but one logs."""

from functools import partial

from harness.oracle.predictions import (
    largest_batch_value,
    smallest_batch_value,
    sum_of_batch_values,
    weighted_by_batch_size,
    weighted_with_truncated_count,
)
from scenarios.ranks.figures import FEW, SHARED, Trained, declare, val_loss


class Logged(Trained):
    def __init__(self, features, classes, **options):
        super().__init__(features, classes)
        self.options = options

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y), **self.options)


class OnRankOne(Logged):
    """Nothing of it reaches a logger, which rank 0 alone has."""

    def validation_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        if self.global_rank == 1:
            self.log("val_loss", loss)


def never(quantity, epochs):
    return None


def synchronised(pattern, reduce_fx, workloads, *aggregates):
    module = partial(Logged, sync_dist=True, reduce_fx=reduce_fx)
    declare(pattern, "migrated", module, *aggregates, workloads=workloads)


ALONE = {"predicts": weighted_by_batch_size, "across": "rank_zero"}
declare("logged", "control", Logged, val_loss(**ALONE))
declare("logged_on_rank_zero", "control", partial(Logged, rank_zero_only=True), val_loss(**ALONE), workloads=FEW)
declare("logged_on_rank_one", "control", OnRankOne, val_loss(predicts=never), workloads=FEW)
synchronised(
    "logged_synchronised", "mean", SHARED,
    val_loss(needs="pytorch_lightning<2.0", predicts=weighted_by_batch_size),
    val_loss(needs="pytorch_lightning>=2.0", predicts=weighted_with_truncated_count),
)  # fmt: skip
synchronised("summed_synchronised", "sum", FEW, val_loss(predicts=sum_of_batch_values))
synchronised("smallest_synchronised", "min", FEW, val_loss(predicts=smallest_batch_value))
synchronised("largest_synchronised", "max", FEW, val_loss(predicts=largest_batch_value))
