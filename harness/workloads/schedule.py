"""How a training loop goes over a workload's batches, and what that plans: standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Limit = int | float  # so many batches, or that fraction of them, rounded down

# What Lightning's Trainer calls each of it.
BY_TRAINER = {
    "max_epochs": "epochs",
    "accumulate_grad_batches": "accumulate",
    "limit_train_batches": "train_limit",
    "limit_val_batches": "validation_limit",
    "val_check_interval": "validate_after",
    "check_val_every_n_epoch": "validate_every",
}
OWN_EPOCHS = 2  # of a user's own data, by default


@dataclass(frozen=True)
class Schedule:
    """By default: three epochs, each over all training batches and then once over all validation batches.

    Attributes:
        accumulate: how many batches share an optimiser step; an epoch's last batch always ends one.
        train_limit, validation_limit: how much of a pass is used, from its start; validation's is per loader.
        validate_after: training batches between two validations, counted anew in each epoch.
        validate_every: how many epochs go by from one that validates to the next.
        stopped_at: the epoch and batch after which training is cut off; it is then resumed, in a module and a
            trainer of its own, from a checkpoint saved there.
    """

    epochs: int = 3
    accumulate: int = 1
    train_limit: Limit = 1.0
    validation_limit: Limit = 1.0
    validate_after: Limit = 1.0
    validate_every: int = 1
    stopped_at: tuple[int, int] | None = None

    @staticmethod
    def of_trainer(arguments: Mapping[str, Any]) -> "Schedule":
        """That of a Trainer that is given these; of two epochs, if they do not say."""
        given = {field: arguments[name] for name, field in BY_TRAINER.items() if name in arguments}
        return Schedule(**{"epochs": OWN_EPOCHS, **given})

    def validations(self, epoch: int, batches: int) -> int:
        """How many there are in an epoch of so many training batches."""
        if (epoch + 1) % self.validate_every != 0:
            return 0
        return batches // max(1, limited(batches, self.validate_after))

    def ends_step(self, batch: int, batches: int) -> bool:
        """Whether the optimiser steps after this batch, counted from 0, of an epoch of so many."""
        return (batch + 1) % self.accumulate == 0 or batch + 1 == batches


def limited(batches: int, limit: Limit) -> int:
    """How many batches a limit leaves: 1 is one batch, 1.0 is all of them."""
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)
