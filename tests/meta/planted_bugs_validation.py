"""Bugs in validation beside training, of which each must be caught by comparison with sequential validation."""

import torch
from changes import Change, around, planting_into, tell_that_it_was_reached
from planting import pl, results

from scenarios.parallel_validation import process_per_epoch

IN_PROCESSES = "parallel_validation/fork_per_epoch/recommended@short/digits"
IN_A_THREAD = "parallel_validation/thread/migrated@short/digits"

PLANTS: list[Change] = []
plant = planting_into(PLANTS)


@plant(on=IN_PROCESSES, caught_by=("same_as", "val_loss"))
def results_of_each_others_epochs():
    """Results are taken as they come, and given to epochs in the order in which these began."""

    @around(process_per_epoch.ProcessPerEpoch, "on_train_end")
    def on_train_end(inner, self, trainer, pl_module):
        receivers = [receiver for _, _, receiver, _ in self.running]
        rotated = [*receivers[1:], receivers[0]]
        self.running = [
            (epoch, step, receiver, process)
            for (epoch, step, _, process), receiver in zip(self.running, rotated, strict=True)
        ]
        inner(self, trainer, pl_module)


@plant(on=IN_PROCESSES, caught_by=("same_as", "val_acc"))
def told_one_step_late():
    """The trainer counts its optimiser steps from one."""
    counted = pl.Trainer.global_step.fget

    def from_one(trainer):
        tell_that_it_was_reached("global_step")
        return counted(trainer) + 1

    pl.Trainer.global_step = property(from_one)


@plant(on=IN_PROCESSES, caught_by=("same_as", "val_loss"))
def figure_off_by_one_bit():
    """The mean over an epoch is rounded up."""

    @around(results()._ResultMetric, "compute")
    def compute(inner, self):
        value = inner(self)
        return torch.nextafter(value, torch.full_like(value, torch.inf)) if self.is_tensor else value


@plant(on=IN_A_THREAD, caught_by=("same_as", "weights"))
def one_bit_of_a_weight():
    """Validation beside training reaches into the weights that training goes on with."""
    _flip_a_bit_of(lambda module: next(module.parameters()))


@plant(on=IN_A_THREAD, caught_by=("same_as", "weights"))
def one_bit_of_a_buffer():
    """Validation beside training reaches into what batch norm counts, which no step reads."""
    _flip_a_bit_of(lambda module: module.get_buffer("net.1.num_batches_tracked"))


def _flip_a_bit_of(tensor_of):
    @around(pl.LightningModule, "on_train_epoch_start")
    def on_train_epoch_start(inner, self):
        if self.current_epoch == 1:
            tensor_of(self).data.view(-1).view(torch.int32)[0] ^= 1
        inner(self)


@plant(on=IN_A_THREAD, caught_by=("aggregate", "val_loss"))
def validated_in_training_mode():
    """Validation no longer puts the module into evaluation mode: dropout is on, and batch norm goes by the batch."""

    @around(torch.nn.Module, "eval")
    def stay(inner, self):
        return self
