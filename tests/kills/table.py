"""Kill many trainings at drawn moments, and count what that does to their records: ``make kills``.

For the callback that is recommended, and at the same moments for the one that document 004 shows, with the framework's
own checkpoint to resume from. Exits with 1 if a record of the recommended one was lost, doubled or premature, held
another figure, or could not be read.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from attempts import Attempts
from trainings import PAGES, Trainings, moments

FAULTS = ("lost", "doubled", "premature", "wrong", "damaged")
COLUMNS = ("trainings", "kills", "of these mid-write", *FAULTS)


def count(attempts: Attempts, kind: str, kills: int, seed: int) -> Counter[str]:
    """Kill so often, in as many trainings as that takes; faults are counted in epochs, damage in trainings."""
    generator = random.Random(seed)
    row: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        trainings = Trainings(attempts, kind, Path(folder))
        while row["kills"] < kills:
            killed = trainings.killed(moments(generator, PAGES))
            row["trainings"] += 1
            row["kills"] += killed.kills
            row["of these mid-write"] += sum(attempt.status < -9 for attempt in killed.made)
            row.update({fault: len(what) for fault, what in vars(killed.found).items() if fault != "damaged"})
            row["damaged"] += bool(killed.found.damaged)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of each callback in each framework")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("frameworks", nargs="*", default=["lightning", "keras"])
    asked = parser.parse_args()
    print(f"| framework | callback | {' | '.join(COLUMNS)} |\n| --- | --- |{' ---: |' * len(COLUMNS)}")
    faults = 0
    for framework in asked.frameworks:
        with Attempts(framework) as attempts:
            for kind in ("reliable", "as_documented"):
                row = count(attempts, kind, asked.kills, asked.seed)
                print(f"| {framework} | {kind} | {' | '.join(str(row[name]) for name in COLUMNS)} |", flush=True)
                faults += kind == "reliable" and any(row[fault] for fault in FAULTS)
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
