"""Does the time of a run grow with its trials, and no faster?

Runs 50, 200 and all of the trials that the filters select, the fewer ones spread evenly over all of them, and
prints trials per minute, starting the engines and writing the report included::

    python -m harness.bench.growth 'epoch_*' 'every_n_batches/*' 'strategies/*'
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from harness import catalog as catalogs
from harness.engine import plan
from harness.engine.local import engines
from harness.engine.trial import Trial
from harness.faults.selection import NO_FAULT
from harness.progress import Quiet
from harness.run import Request, execute

SIZES = (50, 200)
DEVICE = "cpu"


def spread(trials: Sequence[Trial], size: int) -> list[Trial]:
    """`size` of them, evenly from first to last, so that every size has the same mixture."""
    return [trials[index * len(trials) // size] for index in range(size)]


@click.command()
@click.argument("filters", nargs=-1)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True)
def main(filters: tuple[str, ...], jobs: int) -> None:
    """Time runs of growing size."""
    catalog = catalogs.find()
    with engines(catalog.frameworks(filters)) as warm:
        trials = plan.make(catalog, filters, DEVICE, 0, warm.environments, NO_FAULT).trials
    for size in [*(size for size in SIZES if size < len(trials)), len(trials)]:
        selected = tuple(f"{trial.scenario}@{trial.workload}" for trial in spread(trials, size))
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            execute(catalog, Request(selected, NO_FAULT, device=DEVICE, jobs=jobs), Path(folder, "run"), Quiet())
            minutes = (time.perf_counter() - started) / 60
        click.echo(f"{size:5} trials  {minutes:5.1f} minutes  {size / minutes:6.0f} trials a minute")


if __name__ == "__main__":
    main()
