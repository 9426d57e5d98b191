"""Gradients of several batches to a step: as many as the workload's schedule has, or a number that changes."""

import inspect

from harness import Expect
from harness.frameworks.lightning_package import pl
from scenarios.training_loop.logged import declare


def changing(fit):
    """A Trainer that is told a number, too, refuses."""
    by_default = inspect.signature(pl.Trainer).parameters["accumulate_grad_batches"].default
    trainer = fit.trainer(
        [pl.callbacks.GradientAccumulationScheduler({0: 1, 1: 3})], accumulate_grad_batches=by_default
    )
    trainer.fit(fit.module, fit.train_loader(), fit.val_loader())


declare("accumulation", workloads="short/accumulation")
declare(
    "accumulation_scheduled", fit=changing,
    # In the second epoch a step is taken after the third batch and the last one, of which the schedule knows nothing.
    # Lightning 1.9 calls the scheduler's hook by itself, and then again with those of all callbacks.
    expects=[
        Expect("violated", checker="report_step"), Expect("violated", checker="order", needs="pytorch_lightning<2.0")
    ],
)  # fmt: skip
