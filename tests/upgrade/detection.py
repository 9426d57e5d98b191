"""How often timing sees what is there, and what is not.

Compares an interpreter with itself, and with one whose Lightning spends a share of a training step more in `self.log`
(`planted/costly.py: busy`), each comparison with warm parents of its own and another seed, by turns, and prints what
was said of each; then how often a regression was seen::

    python tests/upgrade/detection.py --planted 20 --same 50 --share 0.05 --budget 240 --out detection.jsonl

which takes hours on a machine that must do nothing else: interrupted, it goes on where the file ends. Exits with 1
unless at least 19 of 20 planted ones were called a regression, and none of the others.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE / "planted")]

from calibration import LOGGED, turns_of  # noqa: E402
from interpreter import planted_interpreter  # noqa: E402

from harness import catalog  # noqa: E402
from harness.engine.trial import Trial  # noqa: E402
from harness.upgrade import timing  # noqa: E402
from harness.upgrade.sequential import INCONCLUSIVE, REGRESSED  # noqa: E402

ENOUGH = 19 / 20
PLANTED, SAME = "planted", "the same"


@dataclass(frozen=True)
class Compared:
    """What came of one comparison; `timing` is as in the file that an upgrade leaves."""

    what: str
    share: float
    timing: dict[str, Any]

    @property
    def verdicts(self) -> dict[str, str]:
        return {each["scenario"]: each["verdict"] for each in self.timing["scenarios"]}

    @property
    def regressed(self) -> bool:
        """The scenario that the share is of; the others log nothing, or more often."""
        return self.verdicts[LOGGED] == REGRESSED

    @property
    def anything_regressed(self) -> bool:
        return REGRESSED in self.verdicts.values()

    @property
    def line(self) -> str:
        said = [
            f"{each['scenario'].split('/')[1]} {each['verdict']} after {len(each['pairs'])}"
            + (f" ({each['estimate']['ratio'] - 1:+.1%})" if each["estimate"] else "")
            for each in self.timing["scenarios"]
        ]
        ended = [f"{self.timing['seconds']:.0f} s", *filter(None, [self.timing["too_noisy"]])]
        return f"{self.what}: {'; '.join([', '.join(said), *ended])}"


def summary(what: str, compared: Sequence[Compared]) -> str:
    anything, itself = sum(each.anything_regressed for each in compared), sum(each.regressed for each in compared)
    undecided = sum(INCONCLUSIVE in each.verdicts.values() for each in compared)
    noisy = sum(bool(each.timing["too_noisy"]) for each in compared)
    longest = max((each.timing["seconds"] for each in compared), default=0.0)
    return (
        f"{what}: anything regressed in {anything} of {len(compared)}, {LOGGED} in {itself}; not decided everywhere in "
        f"{undecided}, for noise in {noisy}; at most {longest:.0f} s each"
    )


@click.command()
@click.option("--planted", type=click.IntRange(0), default=20, show_default=True)
@click.option("--same", type=click.IntRange(0), default=50, show_default=True)
@click.option("--share", type=click.FloatRange(0), default=0.05, show_default=True, help="Of a step, in self.log.")
@click.option("--budget", type=click.FloatRange(0), default=240.0, show_default=True, help="Seconds a comparison.")
@click.option("--python", default=sys.executable, show_default=True, help="The baseline.")
@click.option("--out", type=click.Path(path_type=Path), help="A line each; those that are in it are not done again.")
def main(planted: int, same: int, share: float, budget: float, python: str, out: Path | None) -> None:
    """Compare, again and again."""
    found = catalog.find().scenarios
    trials = [Trial(each, found[each].locator, "lightning", "digits/even", "cpu", 0) for each in timing.SCENARIOS]
    compared = _read(out, share)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turns = turns_of(share, python, folder)
        click.echo(f"{share:.1%} of a step of {LOGGED} are {turns} turns of an empty loop")
        changed = planted_interpreter(folder / "changed", f"import costly; costly.busy({turns})", python)
        for seed in range(max(planted, same)):
            for what, wanted, candidate in ((PLANTED, planted, str(changed)), (SAME, same, python)):
                if sum(each.what == what for each in compared) <= seed < wanted:
                    timed = timing.Timing.of(trials, budget, seed)
                    timing.fill(timed, trials, timing.sampling(python, candidate, folder, seed), lambda _: None)
                    compared.append(Compared(what, share, timed.to_json()))
                    click.echo(compared[-1].line)
                    if out:
                        with out.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(vars(compared[-1])) + "\n")
    by_what = {what: [each for each in compared if each.what == what] for what in (PLANTED, SAME)}
    for what, of_these in by_what.items():
        click.echo(summary(f"{share:.0%} {what}" if what == PLANTED else what, of_these))
    seen = sum(each.regressed for each in by_what[PLANTED])
    if any(each.anything_regressed for each in by_what[SAME]) or seen < ENOUGH * planted:
        sys.exit(1)


def _read(out: Path | None, share: float) -> list[Compared]:
    """What was compared before, of the same share."""
    lines = out.read_text(encoding="utf-8").splitlines() if out and out.exists() else []
    compared = [Compared(**json.loads(line)) for line in lines]
    return [each for each in compared if each.what == SAME or each.share == share]


if __name__ == "__main__":
    main()
