"""`fit` called again: on the same Trainer, which goes on, and on another, which begins anew with the same module."""

from dataclasses import replace

from harness import Expect
from harness.oracle.predictions import since_resuming, weighted_by_batch_size
from scenarios.training_loop.logged import TRAIN_LOSS, declare


def one_trainer(fit):
    trainer = fit.trainer(max_epochs=1)
    trainer.fit(fit.module, fit.train_loader(), fit.val_loader())
    trainer.fit_loop.max_epochs = 2
    trainer.fit(fit.module, fit.train_loader(), fit.val_loader())


def through_already(fit):
    """There is nothing left to do for the second call."""
    trainer = fit.trainer()
    for _ in range(2):
        trainer.fit(fit.module, fit.train_loader(), fit.val_loader())


def two_trainers(fit):
    for _ in range(2):
        fit.trainer().fit(fit.module, fit.train_loader(), fit.val_loader())


declare("fit_twice_one_trainer", fit=one_trainer)
declare("fit_twice_through_already", fit=through_already)
# Every epoch is there twice, and callbacks see the figure of the second: the truth is over both.
declare(
    "fit_twice_two_trainers", variant="control", fit=two_trainers,
    aggregates=[
        replace(TRAIN_LOSS, reported_in="callback_metrics", predicts=since_resuming(weighted_by_batch_size))
    ],
    expects=[Expect("violated", checker=checker) for checker in ("samples", "hook")],
)  # fmt: skip
