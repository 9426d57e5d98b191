"""Is every planted change of Lightning told from the real one, and called what it is?

Runs `epoch-harness upgrade` on each of `candidates.CANDIDATES`, against the interpreter that this runs in, on the trial
on which it shows (or must not), and prints what was said. Without names, all of them::

    python tests/upgrade/table.py [--budget 240] [NAME…]

Exits with 1 if one was called anything else.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE / "planted"), str(HERE.parent / "meta")]

from calibration import turns_of  # noqa: E402
from candidates import CANDIDATES, Candidate  # noqa: E402

from harness.comparison.differences import CLASSES, REGRESSIONS, WARNS  # noqa: E402
from harness.frameworks.lightning_package import NAME  # noqa: E402


@click.command()
@click.argument("names", nargs=-1)
@click.option("--budget", default=240.0, show_default=True, help="Seconds for timing what takes longer.")
def main(names: tuple[str, ...], budget: float) -> None:
    chosen = [each for each in CANDIDATES if not names or each.name in names]
    with tempfile.TemporaryDirectory() as folder:
        turns = 0
        if any(each.name.startswith("busy") for each in chosen):
            turns = turns_of(0.01, sys.executable, Path(folder))
        wrong = 0
        for candidate in chosen:
            said = _compared(candidate, Path(folder), turns, budget)
            right = said.is_right_of(candidate)
            wrong += not right
            print(f"{'ok   ' if right else 'WRONG'} {candidate.name}: {said}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} were called what they are ({NAME})")
    sys.exit(1 if wrong else 0)


@dataclass(frozen=True)
class Said:
    """What an upgrade said of a candidate.

    Attributes:
        kind: the gravest class that it got; None if nothing that counts, or should, was said.
        of: what got it; or how it failed.
        compared: how many trials were.
    """

    kind: str | None
    of: str
    exit_code: int
    compared: int

    def is_right_of(self, candidate: Candidate) -> bool:
        """Of a harmless one, that nothing was found where there was something to look at."""
        counts = candidate.effect in REGRESSIONS
        return (self.kind, self.exit_code) == (candidate.effect, 1 if counts else 0) and self.compared > 0

    def __str__(self) -> str:
        of = f": {self.of}" if self.of else ""
        return f"{self.kind or 'nothing'}{of}; exit code {self.exit_code}, {self.compared} trials compared"


def _compared(candidate: Candidate, folder: Path, turns: int, budget: float) -> Said:
    python = candidate.interpreter(folder, sys.executable, turns)
    out = folder / f"{candidate.name}-out"
    filters, _, fault = candidate.on.partition("#")
    timed = budget if candidate.name.startswith("busy") else 0
    options = ["--fault", fault or "none", "--budget", str(timed), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "upgrade", sys.executable, str(python), filters, *options],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    if not (out / "upgrade.json").exists():
        return Said(None, (done.stderr or done.stdout).strip()[-300:], done.returncode, 0)
    found = json.loads((out / "upgrade.json").read_text())
    heeded = [each for each in found["differences"] if each["kind"] in (*REGRESSIONS, WARNS)]
    if not heeded:
        return Said(None, "", done.returncode, found["compared"])
    first = min(heeded, key=lambda each: CLASSES.index(each["kind"]))
    return Said(first["kind"], f"{first['observable']}: {first['what']}", done.returncode, found["compared"])


if __name__ == "__main__":
    main()
