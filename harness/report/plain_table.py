"""A table as it is shown on a terminal, in Markdown and in HTML alike."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """The first cell of each row is a name, such as the id of a scenario."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
