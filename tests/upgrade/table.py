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
from pathlib import Path

import click

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE / "planted"), str(HERE.parent / "meta")]

from calibration import turns_of  # noqa: E402
from candidates import CANDIDATES, COST, Candidate  # noqa: E402

from harness.comparison.differences import CLASSES, REGRESSIONS  # noqa: E402
from harness.engine.trial import Trial  # noqa: E402
from harness.frameworks.lightning_package import NAME  # noqa: E402

LOGGED = COST.split("@")[0]


@click.command()
@click.argument("names", nargs=-1)
@click.option("--budget", default=240.0, show_default=True, help="Seconds for timing what takes longer.")
def main(names: tuple[str, ...], budget: float) -> None:
    chosen = [each for each in CANDIDATES if not names or each.name in names]
    with tempfile.TemporaryDirectory() as folder:
        turns = 0
        if any(each.name.startswith("busy") for each in chosen):
            trial = Trial(LOGGED, "scenarios.strategies.log_on_epoch", "lightning", "digits/even", "cpu", 0)
            turns = turns_of(0.01, trial, sys.executable, Path(folder))
        wrong = 0
        for candidate in chosen:
            got, told = _compared(candidate, Path(folder), turns, budget)
            right = got == candidate.effect
            wrong += not right
            print(f"{'ok   ' if right else 'WRONG'} {candidate.name}: {got or 'nothing'}: {told}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} were called what they are ({NAME})")
    sys.exit(1 if wrong else 0)


def _compared(candidate: Candidate, folder: Path, turns: int, budget: float) -> tuple[str | None, str]:
    """The gravest class that it got, and of what; None if nothing that counts, or should, was said."""
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
        return f"exit code {done.returncode}", (done.stderr or done.stdout).strip()[-300:]
    found = json.loads((out / "upgrade.json").read_text())["differences"]
    heeded = [each for each in found if each["kind"] in (*REGRESSIONS, "warns")]
    if not heeded:
        return None, f"exit code {done.returncode}"
    first = min(heeded, key=lambda each: CLASSES.index(each["kind"]))
    return first["kind"], f"{first['observable']}: {first['what']}"


if __name__ == "__main__":
    main()
