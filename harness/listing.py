"""Scenarios that there are, and what can run of them: for programs, and in a table for a terminal."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.catalog import Catalog
from harness.engine.plan import Plan, Unavailable
from harness.engine.trial import Trial
from harness.faults.fault import NONE
from harness.terminal import one_line, say
from harness.workloads import library

FEW = 3


def rows(catalog: Catalog, planned: Plan) -> list[dict[str, Any]]:
    """One for each scenario, in the order of the plan."""
    runs = {trial.scenario for trial in planned.trials}
    reasons = {item.scenario: item.reason for item in planned.unavailable}
    workloads: dict[str, dict[str, None]] = {}
    faults: dict[str, dict[str, None]] = {}
    entries: list[Trial | Unavailable] = [*planned.trials, *planned.unavailable]
    for entry in entries:
        workloads.setdefault(entry.scenario, {})[entry.workload] = None
        faults.setdefault(entry.scenario, {})[entry.fault] = None
    return [
        {
            "scenario": id,
            "source": catalog.scenarios[id].source if id in catalog.scenarios else "",
            "workloads": list(names),
            "faults": [fault for fault in faults[id] if fault != NONE],
            "claims": catalog.claims_about(id),
            "available": id in runs,  # on some of its workloads at least
            "reason": reasons.get(id, ""),
        }
        for id, names in workloads.items()
    ]


def print_list(rows: Sequence[dict[str, Any]], environment: str) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 240
    table = Table("scenario", "source", "workloads", "faults", "claims", "available", box=None, pad_edge=False)
    for row in rows:
        available = "yes" if row["available"] else f"no: {row['reason']}"
        workloads = ", ".join(in_short(row["workloads"]))
        cells = [row["scenario"], row["source"], workloads, str(len(row["faults"])), str(len(row["claims"])), available]
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    console.print(table)
    for dataset, names in _by_dataset(name for row in rows for name in row["workloads"]).items():
        say(console, f"{dataset}/: {', '.join(names)}", most=sys.maxsize)
    say(console, f"{len(rows)} scenarios; {environment}")


def in_short(workloads: list[str]) -> list[str]:
    """`digits/*` where all that are listed of a data set are there, their names if they are few, else how many."""
    listed = _by_dataset(library.NAMES)
    shown = [name for name in workloads if "/" not in name]  # the * of a file that could not be read
    for dataset, names in _by_dataset(workloads).items():
        if {*names} == {*listed.get(dataset, ())}:
            shown.append(f"{dataset}/*")
        elif len(names) <= FEW:
            shown += [f"{dataset}/{name}" for name in names]
        else:
            shown.append(f"{len(names)} of {dataset}/")
    return shown


def _by_dataset(workloads: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for workload in dict.fromkeys(workloads):
        dataset, slash, name = workload.partition("/")
        if slash:
            found.setdefault(dataset, []).append(name)
    return found
