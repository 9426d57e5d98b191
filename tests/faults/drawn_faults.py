"""Schedules of faults that Hypothesis draws, and what a trial under any of them must show.

A schedule that fails is shrunk, and left behind as a file that replays.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import strategies as st
from laboratory import Laboratory, Tried

from harness.faults.fault import KINDS, Fault
from harness.faults.selection import Faults
from harness.faults.written_out import read, to_json
from harness.workloads import library

SCENARIO = "epoch_end_reliability/lightning_hooks/as_documented"
WORKLOAD = "short/diabetes"
BUILT = library.build(WORKLOAD, 0)
HANG = {("loader", "hangs"), ("loader", "never_ends")}
# Its worker process fetches batches at other times, which no model of the loop knows of.
OTHER_FETCHING = {("loader", "worker_killed")}
DRAWN = [
    key for key, rules in KINDS.items()
    if "lightning" in rules.frameworks and rules.ranks == 1 and key not in HANG | OTHER_FETCHING
]  # fmt: skip
# Of other checkers, a scenario says itself what it expects under the faults that are listed by name.
PREDICTED = ("fault", "bracket", "order", "exception", "cell", "process")

Run = Callable[[Path], Tried]
Property = Callable[[Sequence[Fault], Tried], list[str]]


@st.composite
def faults(draw) -> Fault:
    """One that can come about in `SCENARIO` on `WORKLOAD`, and lets it end."""
    family, kind = draw(st.sampled_from(DRAWN))
    rules = KINDS[family, kind]
    stage = draw(st.sampled_from(rules.stages))
    epoch = 0 if rules.at == "stage" else draw(st.integers(0, BUILT.schedule.epochs - 1))
    batch = draw(st.integers(0, len(BUILT.batches(stage)) - 1)) if rules.at == "batch" else None
    return Fault(family, kind, stage, epoch, batch)


def aim(fault: Fault) -> tuple[str, str, int]:
    """Two faults of one aim are the same twice, or a loader that says two lengths."""
    return (fault.rules.moment if fault.rules.at == "stage" else fault.name, fault.stage, fault.epoch)


def place(fault: Fault) -> tuple[str, int, int | str]:
    """At most one fault strikes a batch: what one does may come after another is to."""
    return (fault.stage, fault.epoch, fault.name if fault.batch is None else fault.batch)


schedules = st.lists(faults(), min_size=1, max_size=4, unique_by=(aim, place))


def in_laboratory(laboratory: Laboratory) -> Run:
    def run(path: Path) -> Tried:
        written = read(path, laboratory.catalog)
        return laboratory.run(written.filter, seed=written.seed or 0, faults=Faults((), (written,)))

    return run


def holds(run: Run, schedule: Sequence[Fault], wrong: Property, folder: Path) -> None:
    """Run a schedule from a file; what is wrong fails the test, with the command that replays it."""
    path = folder / "failing.json"
    path.write_text(json.dumps(to_json(SCENARIO, WORKLOAD, tuple(schedule), 0), indent=2) + "\n")
    told = wrong(schedule, run(path))
    assert not told, "\n".join([*told, f"replay: epoch-harness run --fault {path}", path.read_text()])


def unexpected(tried: Tried) -> list[str]:
    """Findings that are not what the model of Lightning's loop has under a schedule."""
    return [
        f"{each.checker} {each.aggregate}: {each.verdict}, expected {each.expected_verdict}: {each.message}"
        for each in tried.unexpected
        if each.checker in PREDICTED
    ]


def unsound(schedule: Sequence[Fault], tried: Tried) -> list[str]:
    """What must not be, whatever goes wrong in a training."""
    fired = Counter((each.fault, each.stage, each.epoch) for each in tried.history.select("fault"))
    planned = {(fault.name, fault.stage, fault.epoch) for fault in schedule}
    told = [f"{name} fired {count} times" for (name, *_), count in fired.items() if count > 1]
    told += [f"{name} fired in {stage}, epoch {epoch}, unasked" for name, stage, epoch in fired.keys() - planned]
    if not fired:  # nothing keeps the first of them from being reached
        told.append("no fault fired")
    if not tried.history.operations:
        told.append("the history cannot be read")
    if tried.outcome.timed_out or tried.outcome.status is None:
        told.append("the trial did not end")
    if tried.outcome.left_behind or tried.outcome.leftovers:
        told.append(f"left behind: {tried.outcome.left_behind} processes, {tried.outcome.leftovers}")
    return told
