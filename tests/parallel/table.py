"""Strike many fits with validation beside training, and count what becomes of their epochs.

For `ParallelValidation`, and at the same moments for the pattern of document 003, mended so far that it runs. Exits
with 1 if anything was found of the former.
"""

import argparse
import random
import signal
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mishaps import BATCH, SENDING, TRAINING, Mishap
from observing import Observer, Strike
from verdicts import judge

COLUMNS = (
    "fits", "struck", "epochs trained", "ok", "other status", "no status", "wrong", "hangs", "processes left",
    "files left", "noticed after, ms", "at most",
)  # fmt: skip
KINDS = {"ours": "ParallelValidation", "document": "document 003, mended"}
# Rows of ParallelValidation in turn; the document's pattern has no options.
OPTIONS = tuple({"workers": workers, "retries": 9, "time_limit": 30.0} for workers in (1, 2))
ALWAYS = 99
STRIKES = 5  # of workers in a fit, at most


@dataclass
class Row:
    fault: str
    kind: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS[:-2], 0))
    noticed: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        noticed = [f"{1000 * of(self.noticed):.0f}" if self.noticed else "" for of in (statistics.median, max)]
        return f"| {' | '.join([self.fault, KINDS[self.kind], *map(str, self.counts.values()), *noticed])} |"

    def add(self, observer: Observer, strikes: Sequence[Strike] = (), **fit: Any) -> None:
        seen = observer.observe(self.kind, strikes, **fit)
        found = judge(seen, observer.reference(**fit))
        statuses = [outcome["status"] for outcome in seen.one("outcomes", [])]
        told = {
            "fits": 1, "struck": len(seen.mishaps), "epochs trained": len(seen.all("trained")),
            "ok": statuses.count("ok"), "other status": len(statuses) - statuses.count("ok"),
            "no status": len(found.unknown), "wrong": len(found.wrong | found.several | found.training),
            "hangs": found.hung, "processes left": len(found.processes), "files left": len(found.files),
        }  # fmt: skip
        self.counts = {name: self.counts[name] + count for name, count in told.items()}
        self.noticed += seen.noticed

    @property
    def found(self) -> bool:
        return any(self.counts[name] for name in ("no status", "wrong", "hangs", "processes left", "files left"))


def struck_at_random(observer: Observer, kind: str, fault: str, at: str, kills: int, **strike: Any) -> Row:
    """So many signals at any time that a fit takes which nobody strikes."""
    generator = random.Random(0)
    row = Row(fault, kind)
    fit: dict[str, Any] = {"epochs": 6, "loader_workers": 0}
    whole = observer.observe(kind, **fit).seconds
    number = 0
    while row.counts["struck"] < kills:
        options = OPTIONS[number % 2] if kind == "ours" else {}
        times = STRIKES if at == "worker" else 1
        strikes = [Strike(generator.uniform(0, whole), at, seed=number, **strike) for _ in range(times)]
        row.add(observer, strikes, options=options, **{**fit, "loader_workers": 2 if number % 5 == 4 else 0})
        number += 1
    return row


def at_events(observer: Observer, kind: str, fault: str, *mishaps: Mishap, **fit: Any) -> Row:
    row = Row(fault, kind)
    for options in OPTIONS if kind == "ours" and "start_method" not in fit.get("options", {}) else ({},):
        more = {"on_failure": "continue", **fit.get("options", {})} if kind == "ours" else {}
        row.add(observer, mishaps=mishaps, **{**fit, "options": {**options, **more}})
    return row


def rows(observer: Observer, kind: str, kills: int) -> Iterator[Row]:
    yield struck_at_random(observer, kind, "worker killed, any time", "worker", kills)
    few = max(kills // 10, 1)
    yield struck_at_random(observer, kind, "training killed, any time", "main", few)
    yield struck_at_random(observer, kind, "Ctrl-C, any time", "group", few, signal=signal.SIGINT)
    yield struck_at_random(observer, kind, "SIGTERM, any time", "main", few, signal=signal.SIGTERM)
    yield at_events(observer, kind, "nothing")
    for batch in (0, 2):
        yield at_events(observer, kind, f"worker killed in batch {batch}", Mishap(BATCH, "kill", 1, batch))
    yield at_events(observer, kind, "worker killed while it sends", Mishap(SENDING, "kill"))
    yield at_events(observer, kind, "the same, and 8 MiB to send", Mishap(SENDING, "kill"), big=True)
    yield at_events(observer, kind, "8 MiB to send", big=True)
    if kind == "ours":
        for method in ("forkserver", "spawn"):
            killed = Mishap(BATCH, "kill", 1)
            yield at_events(
                observer, kind, f"worker killed, started by {method}", killed, options={"start_method": method}
            )
    yield at_events(observer, kind, "validation raises once", Mishap(BATCH, "raise", 1))
    yield at_events(observer, kind, "validation raises always", Mishap(BATCH, "raise", times=ALWAYS))
    limit = {"time_limit": 1.0}
    yield at_events(observer, kind, "validation hangs", Mishap(BATCH, "hang", 1), options=limit)
    yield at_events(observer, kind, "worker stopped by SIGSTOP", Mishap(BATCH, "stop", 1), options=limit)
    yield at_events(
        observer, kind, "training killed while validation hangs",
        Mishap(BATCH, "hang", 0), Mishap(TRAINING, "kill", 2, after=1),
    )  # fmt: skip
    yield at_events(observer, kind, "training raises", Mishap(TRAINING, "raise", 2))
    yield at_events(observer, kind, "Ctrl-C in a batch", Mishap(TRAINING, "interrupt", 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of workers at any time, for each of the two")
    parser.add_argument("kinds", nargs="*", default=list(KINDS), help=", ".join(KINDS))
    asked = parser.parse_args()
    print(f"| fault | validated by | {' | '.join(COLUMNS)} |\n| --- | --- |{' ---: |' * len(COLUMNS)}")
    faults = 0
    with Observer() as observer:
        for kind in asked.kinds:
            for row in rows(observer, kind, asked.kills):
                print(row, flush=True)
                faults += kind == "ours" and row.found
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
