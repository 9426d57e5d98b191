"""Validation beside training, for people: on a terminal, and in overlap.json, overlap.md and overlap.svg."""

import json
from pathlib import Path

from rich.console import Console

from harness.bench.overlap import Overlap
from harness.bench.table import show
from harness.report.overlap import remarks, tables, timeline
from harness.report.render import render, save


def write(overlap: Overlap, out: Path) -> None:
    """Into the folder `out`: a run directory, the report on which then shows it, or another.

    Raises:
        UsageError: it cannot be written.
    """
    found = overlap.to_json()
    drawn = timeline(found)
    files = {
        "overlap.json": json.dumps(found, indent=1, allow_nan=False) + "\n",
        "overlap.md": render(
            "overlap.md.jinja", overlap=found, tables=tables(found), remarks=remarks(found), drawn=drawn
        ),
    }
    if drawn:
        files["overlap.svg"] = render("timeline.svg.jinja", timeline=drawn)
    save(out, files)


def print_overlap(overlap: Overlap, console: Console) -> None:
    found = overlap.to_json()
    show(tables(found), remarks(found), console)
