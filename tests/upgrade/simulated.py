"""Comparisons by the clock on machines that are made up, to learn how often they are right.

Prints for machines of growing noise what was said of three scenarios, of which two log: where nothing is slower, and
where a step that logs takes 5 % longer::

    python tests/upgrade/simulated.py
"""

import math
import random
from collections.abc import Iterator, Mapping

import click

from harness.upgrade.sequential import FIRED, INCONCLUSIVE, LOOKS, MOST_PAIRS, QUIET, REGRESSED, Decisions


def machine(rng: random.Random, sd: float = 0.02, drift: float = 0.01, busy: float = 0.05) -> Iterator[float]:
    """What the logarithm of the seconds of each sample, one after the other, is off by: the machine gets slower and
    faster (`drift` a sample), does something else in a share `busy` of them, and every process is off by `sd`."""
    level = 0.0
    while True:
        level += rng.gauss(0, drift)
        yield level + rng.gauss(0, sd) + (abs(rng.gauss(0, 0.3)) if rng.random() < busy else 0.0)


def compared(rng: random.Random, effects: Mapping[str, float], **noise: float) -> Decisions:
    """As `timing.fill`: pairs in random order, a third sample for the arm in each round."""
    decisions, off = Decisions(list(effects)), machine(rng, **noise)
    for pairs in range(1, MOST_PAIRS + 1):
        left = decisions.undecided
        for scenario in left:
            with_arm = scenario == left[pairs % len(left)]
            sides = ["candidate", "baseline", "again"] if with_arm else ["candidate", "baseline"]
            if rng.random() < 0.5:
                sides.reverse()
            seconds = {side: next(off) for side in sides}
            difference = effects[scenario] + seconds["candidate"] - seconds["baseline"]
            decisions.series[scenario].differences.append(difference)
            if with_arm:
                decisions.arm.differences.append(seconds["again"] - seconds["baseline"])
        if pairs in LOOKS:
            decisions.look(pairs)
        if not decisions.undecided or decisions.arm.verdict == FIRED:
            break
    return decisions


def said(decisions: Decisions) -> set[str]:
    """The verdicts; none where the machine is too noisy."""
    if decisions.arm.verdict != QUIET:
        return set()
    return {series.verdict for series in decisions.series.values()}


@click.command()
@click.option("--runs", type=click.IntRange(1), default=2000, show_default=True)
def main(runs: int) -> None:
    """Simulate so many comparisons of each kind."""
    slower = math.log(1.05)
    click.echo("processes off by   nothing slower: regressed  undecided  too noisy   5 % slower: regressed  too noisy")
    for sd in (0.01, 0.02, 0.03, 0.04, 0.05, 0.07):
        rng = random.Random(0)
        same, planted = (
            [said(compared(rng, dict.fromkeys("bc", effect) | {"a": 0.0}, sd=sd)) for _ in range(runs)]
            for effect in (0.0, slower)
        )

        def share(verdict: str, sets: list[set[str]]) -> str:
            return f"{sum(verdict in each if verdict else not each for each in sets) / runs:.1%}"

        click.echo(
            f"{sd:16.0%}   {share(REGRESSED, same):>25}  {share(INCONCLUSIVE, same):>9}  {share('', same):>9}"
            f"   {share(REGRESSED, planted):>21}  {share('', planted):>9}"
        )


if __name__ == "__main__":
    main()
