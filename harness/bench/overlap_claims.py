"""Decides what document 003 claims about time, from ratios of trainings that ran side by side."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from harness.bench.overlap_results import DOCUMENTED, PERSISTENT, RESOLUTION

CONFIDENCE = 0.95
# The lowest and the highest of n values hold between them the median of what they are drawn from with probability
# 1 - 2**(1 - n), whatever they are drawn from.
FEWEST = math.ceil(1 - math.log2(1 - CONFIDENCE))
SOURCE = "document 003"

Json = Mapping[str, Any]


def decide(cells: Sequence[Json]) -> list[dict[str, Any]]:
    """What `overlap.json` says of each claim: its verdict, and by which numbers."""
    cells = [cell for cell in cells if not cell["weights_bytes"]]
    return [
        _claim(
            "003.sequential-limits-throughput",
            "Sequential validation limits throughput.",
            [
                _part(
                    f"{load} load: time with sequential validation over that with a persistent worker",
                    [each["speed_up"] for cell in of_load for each in _rounds(cell, PERSISTENT)],
                    above=1.0,
                )
                for load, of_load in _by_load(cells).items()
            ],
        ),
        _claim(
            "003.overhead-is-negligible",
            "What copying weights and starting a process takes is negligible beside the time that is saved.",
            [
                _part(
                    f"{load} load: share of what could be saved that a process per epoch loses",
                    [1 - each["efficiency"] for cell in of_load for each in _rounds(cell, DOCUMENTED)
                     if each["efficiency"] is not None],
                    below=RESOLUTION,
                )
                for load, of_load in _by_load(cells).items()
            ],
        ),
        _claim(
            "003.benefit-grows-with-the-weight-of-validation",
            "The heavier validation is, the more there is to gain.",
            [
                _part(
                    f"{load} load: speed-up by a persistent worker where validation takes {more['ratio']:g} of "
                    f"training, over that where it takes {less['ratio']:g}",
                    _growth(less, more),
                    above=1.0,
                )
                for load, of_load in _by_load(cells).items()
                for less, more in pairwise(_ratios(of_load))
            ],
        ),
    ]  # fmt: skip


def _by_load(cells: Sequence[Json]) -> dict[str, list[Json]]:
    loads: dict[str, list[Json]] = {}
    for cell in cells:
        loads.setdefault(cell["load"], []).append(cell)
    return loads


def _ratios(cells: Sequence[Json]) -> list[Json]:
    """Cells that differ in nothing but the ratio, by that."""
    shortest = min(cell["epochs"] for cell in cells)
    return sorted((cell for cell in cells if cell["epochs"] == shortest), key=lambda cell: float(cell["ratio"]))


def _rounds(cell: Json, scenario: str) -> list[Json]:
    """Of a strategy, those that nothing disturbed."""
    rows = [row for row in cell["rows"] if row["scenario"] == scenario]
    return [each for row in rows for each in row["rounds"] if not each["disturbed"]]


def _growth(less: Json, more: Json) -> list[float]:
    before = {each["round"]: each["speed_up"] for each in _rounds(less, PERSISTENT)}
    return [each["speed_up"] / before[each["round"]] for each in _rounds(more, PERSISTENT) if each["round"] in before]


def _part(
    asked: str, values: Sequence[float], above: float | None = None, below: float | None = None
) -> dict[str, Any]:
    """Whether all values lie on one side of a limit, if there are enough of them to tell where their median does."""
    limit, sign = (above, 1) if above is not None else (below, -1)
    assert limit is not None
    low, high = (min(values), max(values)) if values else (None, None)
    verdict = "undecided"
    if len(values) >= FEWEST:
        sides = {sign * (value - limit) > 0 for value in values}
        verdict = "undecided" if len(sides) > 1 else "holds" if sides == {True} else "refuted"
    return {
        "asked": f"{asked}: {'above' if sign > 0 else 'below'} {limit:.3g}",
        "verdict": verdict,
        "low": low,
        "high": high,
        "values": list(values),
    }


def _claim(id: str, statement: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """It holds, or is refuted, where every part does; it holds in part where they are of two minds."""
    verdicts = {part["verdict"] for part in parts}
    if not parts or "undecided" in verdicts:
        verdict = "undecided"
    else:
        verdict = verdicts.pop() if len(verdicts) == 1 else "holds in part"
    fewest = min((len(part["values"]) for part in parts), default=0)
    why = ""
    if verdict == "undecided":
        short = fewest < FEWEST
        why = (
            f"{fewest} undisturbed values, and {FEWEST} are needed for {100 * CONFIDENCE:.0f} %"
            if short else "values lie on both sides of the limit"
        )  # fmt: skip
    return {"claim": id, "statement": statement, "source": SOURCE, "verdict": verdict, "why": why, "parts": parts}
