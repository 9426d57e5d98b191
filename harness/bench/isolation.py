"""How much does a warm parent save over a fresh interpreter per trial?

Runs the same small trials both ways, alternating, each in a process of its own, and prints trials per minute
and their ratio::

    python -m harness.bench.isolation --trials 100
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import click

from harness.engine.local import Job, LocalEngine
from harness.engine.trial import Trial
from harness.errors import HarnessError
from harness.workloads import library

SMALL = Trial(
    scenario="epoch_end_hooks/basic_metric/recommended",
    locator="scenarios.epoch_end_hooks.basic_metric",
    framework="lightning",
    workload="digits/single_batch",
    device="cpu",
    seed=0,
)


def run_fresh(job: Job) -> None:
    """The trial in an interpreter of its own, which imports everything anew."""
    request = {"trial": asdict(job.trial), "workload": str(job.workload), "history": str(job.history)}
    subprocess.run([sys.executable, "-m", "harness.engine.trial", json.dumps(request)], check=True, capture_output=True)


def run_warm(engine: LocalEngine, job: Job) -> None:
    outcome = next(engine.run([job]))
    if outcome.status != 0:
        raise HarnessError(f"a warm trial ended with status {outcome.status}; see {job.output}")


@click.command()
@click.option("--trials", type=click.IntRange(1), default=100, show_default=True)
def main(trials: int) -> None:
    """Time the same trials warm and with a fresh interpreter each."""
    seconds: dict[str, list[float]] = {"warm": [], "fresh": []}
    with tempfile.TemporaryDirectory() as folder, LocalEngine("lightning") as engine:
        workload = Path(folder, "workload.npz")
        library.build(SMALL.workload, SMALL.seed).save(workload)
        run_warm(engine, Job(SMALL, workload, Path(folder, "first.jsonl"), Path(folder, "first.txt")))
        for number in range(trials):
            for kind in ("warm", "fresh") if number % 2 else ("fresh", "warm"):
                job = Job(SMALL, workload, Path(folder, f"{kind}{number}.jsonl"), Path(folder, f"{kind}{number}.txt"))
                started = time.perf_counter()
                run_warm(engine, job) if kind == "warm" else run_fresh(job)
                seconds[kind].append(time.perf_counter() - started)
    for kind, values in seconds.items():
        click.echo(f"{kind:5}  {60 * trials / sum(values):7.1f} trials a minute")
    pairs = [fresh / warm for warm, fresh in zip(seconds["warm"], seconds["fresh"], strict=True)]
    low, _, high = statistics.quantiles(pairs, n=4) if trials > 1 else (pairs[0],) * 3
    click.echo(
        f"warm runs {sum(seconds['fresh']) / sum(seconds['warm']):.1f} times the trials a minute "
        f"(pair by pair: median {statistics.median(pairs):.1f}, quartiles {low:.1f} to {high:.1f}; {trials} pairs)"
    )


if __name__ == "__main__":
    main()
