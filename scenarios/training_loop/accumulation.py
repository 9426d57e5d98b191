"""Gradients of several batches to a step: what the workload's schedule has, and a number that changes from epoch to epoch."""

from harness import Expect
from harness.frameworks.lightning_package import pl
from scenarios.training_loop.logged import declare

declare("accumulation", workloads="short/accumulation")
declare("accumulation_clipped", workloads="short/accumulation", trainer={"gradient_clip_val": 0.1})
declare(
    "accumulation_scheduled", callbacks=lambda: [pl.callbacks.GradientAccumulationScheduler({0: 1, 1: 3})],
    # In the second epoch a step is taken after the third batch and the last one, of which the schedule knows nothing.
    expects=[Expect("violated", checker="report_step")],
)  # fmt: skip
