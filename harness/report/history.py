"""Lines of a history as a report shows them: what happened, and where in the training."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.history import reader

WIDTH = 160
PLACE = ("stage", "epoch", "batch", "rank")


@dataclass(frozen=True)
class Line:
    """A line of a history; `after_a_gap` if lines before it were left out, `is_evidence` if a finding rests on it."""

    number: int
    text: str
    after_a_gap: bool
    is_evidence: bool


def lines(path: Path, wanted: Iterable[int], evidence: Collection[int]) -> tuple[Line, ...]:
    """The lines that are `wanted`, in order, cut to `WIDTH`; none if the history is gone, or damaged."""
    shown = reader.abridged(path, sorted(wanted), width=10 * WIDTH)
    befores = [0, *(number for number, _ in shown)]
    return tuple(
        Line(number, _in_words(text)[:WIDTH], after_a_gap=number > before + 1, is_evidence=number in evidence)
        for before, (number, text) in zip(befores, shown, strict=False)
    )


def _in_words(line: str) -> str:
    try:
        operation = json.loads(line)
        happened = f"{operation['f']} {operation['type']}"
    except (ValueError, KeyError, TypeError):  # damaged, or cut: as it stands
        return line
    place = " ".join(
        str(value) if name == "stage" else f"{name} {value}"
        for name in PLACE
        if (value := operation.get(name)) is not None and (name, value) != ("rank", 0)
    )
    value = operation.get("value")
    said = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "  ".join(filter(None, (f"{place:24}", f"{happened:20}", said))).rstrip()
