"""What does recording a history cost a training step?

Trains the same module on the same data with and without recording, alternating in pairs inside one process,
and prints the cost of one operation and its share of a step::

    python -m harness.bench.recording --pairs 40
"""

import gc
import math
import statistics
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import click
import torch

from harness import scenario_files
from harness.frameworks import lightning
from harness.history import reader
from harness.history.recorder import Recorder
from harness.scenario import Scenario
from harness.workloads import library
from harness.workloads.workload import Workload

SCENARIO = "scenarios.epoch_averaging.per_batch_logging"
MODULE_STEP_S = 1e-3  # the length of a training step that the cost is held against


def seconds(scenario: Scenario, workload: Workload, recorder: Recorder | None) -> float:
    """Wall time of one training run."""
    gc.collect()
    gc.disable()
    started = time.perf_counter()
    lightning.run(scenario, workload, "cpu", 0, recorder)
    elapsed = time.perf_counter() - started
    gc.enable()
    return elapsed


@click.command()
@click.option("--pairs", type=click.IntRange(2), default=40, show_default=True)
def main(pairs: int) -> None:
    """Time training with and without recording, in pairs."""
    warnings.simplefilter("ignore")  # Lightning's advice on loaders is not what is measured here
    torch.set_num_threads(1)
    declared, _ = scenario_files.load(SCENARIO)
    recommended = next(scenario for scenario in declared if scenario.variant == "recommended")
    workload = library.build("digits/even", 0)
    batches = 5 * (len(workload.train) + len(workload.validation))
    costs, plain_steps = [], []
    operations = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(-2, pairs):  # the first two warm up
            history = Path(folder, f"{number}.jsonl")
            recorder = Recorder(history)
            order = (None, recorder) if number % 2 else (recorder, None)
            took = {each is None: seconds(replace(recommended), workload, each) for each in order}
            recorder.close()
            operations = len(reader.read(history).operations)
            if number >= 0:
                costs.append((took[False] - took[True]) / operations)
                plain_steps.append(took[True] / batches)
    cost, step = statistics.median(costs), statistics.median(plain_steps)
    error = 1.25 * statistics.stdev(costs) / math.sqrt(pairs)
    per_step = cost * operations / batches
    click.echo(f"an operation costs {1e6 * cost:.1f} µs (standard error {1e6 * error:.1f} µs, {pairs} pairs)")
    click.echo(
        f"that is {operations / batches:.1f} operations a step, {100 * per_step / MODULE_STEP_S:.1f} % of a 1 ms step"
    )
    click.echo(f"({100 * per_step / step:.1f} % of the steps timed here)")


if __name__ == "__main__":
    main()
