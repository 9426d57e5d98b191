"""Bugs that a release of Lightning or torchmetrics could bring where ranks share an epoch; each is planted inside
a trial and must be caught.

To plant another, write one function here.
"""

import importlib

from changes import Change, around, planting_into
from planting import part, pl, results

LOGGED = "ranks/logged/control@ranks/padded"
SYNCHRONISED = "ranks/logged_synchronised/migrated@ranks/more_on_some"
SUMMED = "ranks/summed_synchronised/migrated@ranks/more_on_some"
METRIC_OBJECTS = "ranks/metric_objects/migrated@ranks/ragged"
MEAN_OF_MEANS = "ranks/mean_of_means/migrated@ranks/more_on_some"
ONE_ALL_REDUCE = "ranks/one_all_reduce/recommended@ranks/even"
SINCE_2 = "pytorch_lightning>=2.0"

PLANTS: list[Change] = []
plant = planting_into(PLANTS)


def reduction():
    """The module that adds tensors up over ranks."""
    return importlib.import_module("lightning_fabric.utilities.distributed")


@plant(on=ONE_ALL_REDUCE, caught_by=("ranks", "rank 1"), needs=SINCE_2)
def one_process_in_place_of_two():
    """A strategy that cannot start processes here falls back to one, in silence."""

    @around(pl.Trainer, "__init__")
    def init(inner, self, *args, **kwargs):
        inner(self, *args, **{**kwargs, "devices": 1, "strategy": "auto"})


@plant(on=LOGGED, caught_by=("samples", "validation"), needs=SINCE_2)
def no_sampler_is_put_in():
    """Lightning's own sampler is no longer put in a loader, so that every rank goes over everything."""

    @around(part("trainer.connectors.data_connector")._DataConnector, "_requires_distributed_sampler")
    def requires(inner, *args):
        return False


@plant(on=LOGGED, caught_by=("samples", "validation"), needs=SINCE_2)
def what_is_left_over_is_dropped():
    """The sampler leaves out what ranks cannot share evenly, in place of giving samples out once more."""

    @around(part("trainer.connectors.data_connector"), "_get_distributed_sampler")
    def sampler(inner, *args, **kwargs):
        return inner(*args, **{**kwargs, "drop_last": True})


@plant(on=LOGGED, caught_by=("samples", "train"), needs=SINCE_2)
def ranks_shuffle_apart():
    """Each rank shuffles by a seed of its own, so that some samples are trained on by none."""

    @around(part("trainer.connectors.data_connector"), "_get_distributed_sampler")
    def sampler(inner, *args, **kwargs):
        return inner(*args, **{**kwargs, "seed": kwargs["rank"]})


@plant(on=SYNCHRONISED, caught_by=("aggregate", "val_loss"))
def sync_dist_is_ignored():
    """`sync_dist=True` changes nothing."""

    @around(results()._Sync, "_generate_sync_fn")
    def generate(inner, self):
        self.should = False
        inner(self)


@plant(on=SUMMED, caught_by=("aggregate", "val_loss"), needs=SINCE_2)
def mean_in_place_of_sum():
    """Whatever the reduction, it is divided by the number of ranks."""

    @around(reduction(), "_sync_ddp")
    def sync(inner, result, group=None, reduce_op=None):
        return inner(result, group, "mean" if reduce_op == "sum" else reduce_op)


@plant(on=MEAN_OF_MEANS, caught_by=("aggregate", "val_loss"), needs=SINCE_2)
def sum_in_place_of_mean():
    """The sum over ranks is no longer divided by their number; nor is the number that it is divided by later."""

    @around(reduction(), "_sync_ddp")
    def sync(inner, result, group=None, reduce_op=None):
        floating = result.is_floating_point()
        return inner(result, group, "sum" if reduce_op == "mean" and floating else reduce_op)


@plant(on=METRIC_OBJECTS, caught_by=("aggregate", "val_loss"))
def metric_objects_of_rank_zero():
    """torchmetrics no longer adds the states of ranks up."""
    from torchmetrics import Metric

    @around(Metric, "sync")
    def sync(inner, self, *args, **kwargs):
        pass
