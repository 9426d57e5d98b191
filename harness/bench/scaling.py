"""What a run costs beside its trials, and what that comes to on many machines.

``measure`` runs trials of an empty scenario and says, for each engine and number of workers, trials per minute, the
driver's processor time for each, how much its memory grew, and the bytes of a history. ``simulate`` has a cluster of so
many nodes carry out so many trials, from those figures and from the seconds that the trials of a run took::

    python -m harness.bench.scaling measure --trials 100 --trials 1000
    python -m harness.bench.scaling simulate reports/runs/latest --driver-ms 4.5 --trials 100000 --nodes 100
"""

import heapq
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import click

from harness.catalog import Catalog
from harness.engine.engines import AHEAD, ENGINES, LOCAL, Where
from harness.faults.selection import NO_FAULT
from harness.findings import Finding
from harness.progress import Quiet
from harness.run import Request, execute
from harness.run_directory import RunDirectory

WORKLOAD = "digits/single_batch"
EMPTY = """
from torch import nn

from harness import Aggregate, Expect, scenario
from harness.oracle.quantities import mean_of_outputs


class Nothing(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(1, 1)

    def forward(self, x):
        return x[:, :1]

    def fit(self, train, validation, epochs, report):
        for _ in range(epochs):
            for batches in (train, validation):
                for x, _ in batches:
                    figure = self(x).mean()
            report({{"figure": figure}})


for number in range({trials}):
    scenario(
        pattern=f"empty/{{number:06}}", variant="control", framework="torch", module=lambda data: Nothing(),
        workloads="{workload}", expects=[Expect("violated", checker="training")],
        aggregates=[Aggregate("figure", of=mean_of_outputs, stage="validation")],
    )
"""
FIRST = 100  # trials, after which what is needed once is there


@dataclass(frozen=True)
class Used:
    """What this process has used so far."""

    seconds: float
    processor_s: float
    resident_bytes: int

    @staticmethod
    def now() -> "Used":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return Used(time.perf_counter(), time.process_time(), pages * os.sysconf("SC_PAGE_SIZE"))


class Watched(Quiet):
    """Notes what is used when the first trials have been judged, and when all have."""

    def __init__(self) -> None:
        self.judged_so_far = 0
        self.began = self.ended = Used.now()

    def judged(self, trial: str, unexpected: Sequence[Finding]) -> None:
        self.judged_so_far += 1
        self.ended = Used.now()
        if self.judged_so_far == FIRST:
            self.began = self.ended


@dataclass
class Cluster:
    """Nodes with a number of processors each, that carry out one trial on each processor; and the driver, which hands
    over no more than `AHEAD` for each processor, and takes back one trial after the other, as they end.

    Attributes:
        seconds: what trials take; drawn from.
        driver_s: what the driver needs for each.
        between_failures_s: the mean time from one loss of a node to the next, of a single node; 0 for none. It is back
            at once, and what it had in hand begins anew.
    """

    nodes: int
    processors: int
    seconds: Sequence[float]
    driver_s: float
    between_failures_s: float = 0.0
    seed: int = 0
    retries: int = 0
    busy_s: float = 0.0
    _draw: random.Random = field(init=False)

    def carry_out(self, trials: int) -> float:
        """Seconds from the first trial to the last that the driver took back."""
        self._draw = random.Random(self.seed)
        free = [0.0] * (self.nodes * self.processors)  # when each processor is
        handed: list[float] = []  # when each trial ends that the driver has not taken back
        window = AHEAD * len(free)
        driver, left = 0.0, trials
        while left or handed:
            while left and len(handed) < window:
                ended = self._trial(max(driver, free[0]))
                heapq.heapreplace(free, ended)
                heapq.heappush(handed, ended)
                left -= 1
            driver = max(driver, heapq.heappop(handed)) + self.driver_s
        return driver

    def _trial(self, begun: float) -> float:
        """When it ends, with what it took to begin anew."""
        for attempt in count():
            seconds = self._draw.choice(self.seconds)
            lost = self._draw.expovariate(1 / self.between_failures_s) if self.between_failures_s else seconds
            self.busy_s += min(seconds, lost)
            if lost >= seconds:
                self.retries += attempt
                return begun + seconds
            begun += lost
        raise AssertionError("a count does not end")


@click.group()
def main() -> None:
    """Measure what a run costs beside its trials, or simulate a cluster by that."""


@main.command()
@click.option("--trials", type=click.IntRange(FIRST + 1), multiple=True, default=(1000,), show_default=True)
@click.option("--engine", type=click.Choice(ENGINES), multiple=True, default=(LOCAL,), show_default=True)
@click.option("--jobs", type=click.IntRange(1), multiple=True, default=(1, 2), show_default=True)
def measure(trials: tuple[int, ...], engine: tuple[str, ...], jobs: tuple[int, ...]) -> None:
    """Run trials of an empty scenario."""
    for number in trials:
        for kind in engine:
            for workers in jobs:
                click.echo(_measured(number, kind, workers))


def _measured(trials: int, engine: str, jobs: int) -> str:
    watched = Watched()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "empty.py")
        file.write_text(EMPTY.format(trials=trials, workload=WORKLOAD), encoding="utf-8")
        catalog = Catalog()
        catalog.add_from(str(file))
        out = Path(folder, "run")
        request = Request(("empty/*",), NO_FAULT, device="cpu", jobs=jobs, where=Where(engine))
        result = execute(catalog, request, out, watched)
        if result.exit_code:
            raise click.ClickException(f"exit code {result.exit_code}: {result.verdicts.first}")
        histories = [each.stat().st_size for each in (out / "histories").iterdir()]
    began, ended, counted = watched.began, watched.ended, trials - FIRST
    return (
        f"{trials:6} trials  {engine:5}  {jobs} workers  {60 * counted / (ended.seconds - began.seconds):6.0f} a minute"
        f"  driver {1000 * (ended.processor_s - began.processor_s) / counted:5.2f} ms each,"
        f" {(ended.resident_bytes - began.resident_bytes) / 2**20:+.1f} MiB"
        f"  {sum(histories) / trials:.0f} bytes a history"
    )


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--trials", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--nodes", type=click.IntRange(1), default=100, show_default=True)
@click.option("--processors", type=click.IntRange(1), default=16, show_default=True, help="Of a node.")
@click.option("--driver-ms", type=click.FloatRange(0), required=True, help="For each trial, as `measure` says.")
@click.option("--losses-a-day", type=click.FloatRange(0), default=0.0, show_default=True, help="Of a node.")
def simulate(run: Path, trials: int, nodes: int, processors: int, driver_ms: float, losses_a_day: float) -> None:
    """Have a cluster carry out trials that take as long as those of RUN did here."""
    seconds = [each["samples"][0] for each in RunDirectory.open(run).read_timings() if each["samples"]]
    between = 86_400 / losses_a_day if losses_a_day else 0.0
    cluster = Cluster(nodes, processors, seconds, driver_ms / 1000, between)
    took = cluster.carry_out(trials)
    click.echo(
        f"{trials} trials on {nodes} nodes of {processors}: {took / 60:.1f} minutes, {trials / took:.0f} a second; "
        f"processors {cluster.busy_s / took / nodes / processors:.0%} busy, driver "
        f"{trials * driver_ms / 1000 / took:.0%}; {cluster.retries} run again"
    )


if __name__ == "__main__":
    main()
