"""How often timing sees what is there, and what is not.

Compares an interpreter with itself, and with one whose Lightning spends a share of a training step more in `self.log`
(`planted/costly.py: busy`), each comparison with warm parents of its own and another seed, by turns, and prints what
was said of each; then how often a regression was seen::

    python tests/upgrade/detection.py --planted 20 --same 50 --share 0.05 --budget 240

Exits with 1 unless at least 19 of 20 planted ones were called a regression, and none of the others.
"""

import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import click

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE / "planted")]

from calibration import turns_of  # noqa: E402
from interpreter import planted_interpreter  # noqa: E402

from harness import catalog  # noqa: E402
from harness.engine.trial import Trial  # noqa: E402
from harness.upgrade import cost, timing  # noqa: E402
from harness.upgrade.sequential import INCONCLUSIVE, REGRESSED  # noqa: E402

LOGGED = "strategies/log_on_epoch/control"
ENOUGH = 19 / 20


@dataclass
class Tally:
    """What came of comparisons of one kind."""

    verdicts: list[dict[str, str]] = field(default_factory=list)
    noisy: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, timing: timing.Timing) -> None:
        self.verdicts.append({timed.scenario: timed.verdict for timed in timing.timed})
        self.noisy += bool(timing.too_noisy)
        self.seconds.append(timing.seconds)

    @property
    def regressed(self) -> int:
        return sum(REGRESSED in each.values() for each in self.verdicts)

    def line(self, what: str) -> str:
        undecided = sum(INCONCLUSIVE in each.values() and REGRESSED not in each.values() for each in self.verdicts)
        return (
            f"{what}: regressed in {self.regressed} of {len(self.verdicts)}; without a regression and not decided "
            f"everywhere {undecided}, {self.noisy} of them for noise; at most {max(self.seconds, default=0):.0f} s each"
        )


@click.command()
@click.option("--planted", type=click.IntRange(0), default=20, show_default=True)
@click.option("--same", type=click.IntRange(0), default=50, show_default=True)
@click.option("--share", type=click.FloatRange(0), default=0.05, show_default=True, help="Of a step, in self.log.")
@click.option("--budget", type=click.FloatRange(0), default=240.0, show_default=True, help="Seconds a comparison.")
@click.option("--python", default=sys.executable, show_default=True, help="The baseline.")
@click.option("--out", type=click.Path(path_type=Path), help="Append every comparison's samples here, one a line.")
def main(planted: int, same: int, share: float, budget: float, python: str, out: Path | None) -> None:
    """Compare, again and again."""
    found = catalog.find().scenarios
    trials = [Trial(each, found[each].locator, "lightning", "digits/even", "cpu", 0) for each in timing.SCENARIOS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turns = turns_of(share, next(trial for trial in trials if trial.scenario == LOGGED), python, folder)
        click.echo(f"{share:.1%} of a step of {LOGGED} are {turns} turns of an empty loop")
        changed = planted_interpreter(folder / "changed", f"import costly; costly.busy({turns})", python)
        tallies = {python: Tally(), str(changed): Tally()}
        for number in range(max(planted, same)):
            for candidate, wanted in ((str(changed), planted), (python, same)):
                if number < wanted:
                    what = "the same" if candidate == python else "planted"
                    _compare(what, trials, python, candidate, folder, number, budget, tallies[candidate], out)
    same_tally, planted_tally = tallies.values()
    click.echo(planted_tally.line(f"{share:.0%} planted"))
    click.echo(same_tally.line("the same"))
    if same_tally.regressed or planted_tally.regressed < ENOUGH * planted:
        sys.exit(1)


def _compare(
    what: str, trials: list[Trial], python: str, candidate: str, folder: Path, seed: int, budget: float, tally: Tally,
    out: Path | None,
) -> None:  # fmt: skip
    compared = timing.run(trials, python, candidate, folder, budget, seed, lambda _: None)
    tally.add(compared)
    if out:
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **cost.to_json(None, compared)}) + "\n")
    said = [
        f"{timed.scenario.split('/')[1]} {timed.verdict} after {len(timed.pairs)}"
        + (f" ({timed.estimate.value:+.1%})" if timed.estimate else "")
        for timed in compared.timed
    ]
    click.echo(
        f"{what}: {', '.join(said)}; {compared.seconds:.0f} s{'; ' + compared.too_noisy if compared.too_noisy else ''}"
    )


if __name__ == "__main__":
    main()
