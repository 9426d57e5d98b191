"""Lines and tables for people. Foreign text stays text: no escape code, no markup, one line, and not too long."""

import sys
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

MOST = 400  # characters of a line in a log
STYLES = {
    "exact": "green", "ok": "green", "biased": "yellow", "wrong": "bold red", "violated": "bold red",
    "raised": "red", "missing": "red", "unexpected": "bold red",
}  # fmt: skip


def printable(text: str) -> str:
    """What a terminal would obey, and not show, written out, as in ``\\x1b``: also what turns the direction of text."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def one_line(text: str, most: int = MOST) -> str:
    """Its lines in one, the rest as in :func:`printable`, what is longer cut."""
    line = printable(" ".join(text.expandtabs().splitlines()))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def say(console: Console, line: str, style: str = "", *, indent: int = 0, most: int = MOST) -> None:
    """A line that only the terminal folds, so that `grep` finds it."""
    console.print(Text(" " * indent + one_line(line, most), style=style), soft_wrap=True)


def live(console: Console) -> bool:
    """Whether lines can be drawn over again: not where colours are asked for in a pipe."""
    return console.is_interactive and console.file.isatty()


def table(columns: Mapping[str, bool], rows: Sequence[Sequence[str | Text]]) -> Table:
    """A row takes one line.

    Args:
        columns: by heading, whether numbers stand below, which are never cut; other cells are, on a narrow terminal.
    """
    shown = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, header_style="bold")
    for heading, numbers in columns.items():
        shown.add_column(
            Text(heading, style=STYLES.get(heading, "")), justify="right" if numbers else "left", no_wrap=numbers
        )
    for row in rows:
        cells = [cell if isinstance(cell, Text) else Text(one_line(cell)) for cell in row]
        for cell in cells:
            cell.no_wrap, cell.overflow = True, "ellipsis"
        shown.add_row(*cells)
    return shown


def room(console: Console, shown: Table) -> int:
    """How many columns of a terminal a table leaves free; below 0 if it must be cut."""
    return console.width - console.measure(shown, options=console.options.update(width=9999)).maximum


def survive_any_text() -> None:
    """What standard output and error cannot encode is written out, and is no error."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
