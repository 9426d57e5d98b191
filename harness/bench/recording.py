"""What does recording a history cost a training step?

Takes training steps of about 1 ms with and without writing the history of each, alternating in pairs inside
one process; then trains one scenario in Lightning with and without recording, again in pairs::

    python -m harness.bench.recording --pairs 40

The second figure holds everything that recording does there: Lightning's dispatch to one callback more, the
wrappers, identifying samples. What is done once a trial (counting the calls of one step) is left out.
"""

import gc
import logging
import math
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from harness import scenario_files
from harness.frameworks import lightning, lightning_position
from harness.history import reader
from harness.history.encoding import encode_array, encode_batch, encode_figure
from harness.history.recorder import Recorder
from harness.workloads import library

STEPS = 100
MODULE, SCENARIO = "scenarios.epoch_averaging.per_batch_logging", "epoch_averaging/per_batch_logging/recommended"


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def in_pairs(pairs: int, plain: Callable[[], object], recorded: Callable[[], object]) -> list[tuple[float, float]]:
    """Seconds of both, `pairs` times, in alternating order; the first two pairs warm up and are dropped.

    The garbage collector runs before a pair, and not within.
    """
    taken = []
    gc.disable()
    for number in range(pairs + 2):
        gc.collect()
        if number % 2:
            first = seconds(plain)
            taken.append((first, seconds(recorded)))
        else:
            first = seconds(recorded)
            taken.append((seconds(plain), first))
    gc.enable()
    return taken[2:]


def tell(what: str, taken: Sequence[tuple[float, float]], steps: int, operations: int) -> None:
    """Print what an operation costs, and its share of a step."""
    costs = [(recorded - plain) / operations for plain, recorded in taken]
    cost, step = statistics.median(costs), statistics.median(plain for plain, _ in taken) / steps
    error = 1.25 * statistics.stdev(costs) / math.sqrt(len(costs))
    click.echo(
        f"{what}: {1e6 * cost:.1f} µs an operation (standard error {1e6 * error:.1f} µs), {operations / steps:.1f} "
        f"operations and {100 * cost * operations / steps / step:.1f} % of a step of {1e3 * step:.2f} ms"
    )


def training_step() -> Callable[[], torch.Tensor]:
    """A step of plain torch that takes about 1 ms on one thread."""
    features, width, classes, batch = 64, 128, 10, 32  # tensors that malloc keeps, instead of asking the kernel anew
    inputs, targets = torch.randn(batch, features), torch.randint(classes, (batch,))
    hidden = [layer for _ in range(4) for layer in (torch.nn.Linear(width, width), torch.nn.ReLU())]
    net = torch.nn.Sequential(torch.nn.Linear(features, width), *hidden, torch.nn.Linear(width, classes))
    optimiser = torch.optim.Adam(net.parameters())

    def step() -> torch.Tensor:
        outputs: torch.Tensor = net(inputs)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(outputs, targets).backward()
        optimiser.step()
        return outputs

    return step


def measure_step(pairs: int, folder: Path) -> None:
    step = training_step()
    recorder = Recorder(folder / "steps.jsonl")
    ids = tuple(range(1000, 1032))

    def plain() -> None:
        for _ in range(STEPS):
            step()

    def recorded() -> None:
        for number in range(STEPS):
            place: dict[str, Any] = {"stage": "train", "epoch": 0, "step": number, "batch": number}
            recorder.write("batch", "invoke", **place)
            outputs = encode_array(step().numpy(force=True))
            recorder.write("log", "info", text=encode_figure("train_loss", math.pi), **place)
            recorder.write("batch", "ok", text=encode_batch(ids, outputs), **place)

    tell("a step of plain torch", in_pairs(2 * pairs, plain, recorded), STEPS, 3 * STEPS)
    recorder.close()


def measure_training(pairs: int, folder: Path) -> None:
    lightning_position.COUNTED_EPOCH = -1
    declared, _ = scenario_files.load(MODULE)
    scenario = next(scenario for scenario in declared if scenario.id == SCENARIO)
    workload = library.build("digits/batch_of_one", 0)
    history = folder / "training.jsonl"

    def recorded() -> None:
        history.unlink(missing_ok=True)
        recorder = Recorder(history)
        lightning.run(scenario, workload, "cpu", 0, recorder)
        recorder.close()

    taken = in_pairs(pairs, lambda: lightning.run(scenario, workload, "cpu", 0, None), recorded)
    steps = workload.schedule.epochs * (len(workload.train) + len(workload.validation))
    tell("training in Lightning", taken, steps, len(reader.read(history).operations))


@click.command()
@click.option("--pairs", type=click.IntRange(2), default=40, show_default=True)
def main(pairs: int) -> None:
    """Time training with and without recording, in pairs."""
    warnings.simplefilter("ignore")  # Lightning's advice is not what is measured here
    logging.disable()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        measure_step(pairs, Path(folder))
        measure_training(pairs, Path(folder))


if __name__ == "__main__":
    main()
