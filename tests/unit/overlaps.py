"""Trainings that validate beside training, made by hand: as a trial tells of them, and what is concluded."""

from typing import Any

from harness.bench.overlap import Overlap, Request
from harness.bench.overlap_results import DOCUMENTED, FLOOR, PERSISTENT, REFERENCE, Cell, Sample

EPOCHS, TRAIN_S, VALIDATION_S = 4, 1.0, 0.5
LOSSES = (2.0, 1.5, 1.25, 1.0)


def told(wall_s: float, validation: list[tuple[int, int, float, float]], **changes: Any) -> dict[str, Any]:
    """Of four epochs that train from whole second to whole second; `validation`: epoch, worker, begin and end."""
    return {
        "wall_s": wall_s,
        "cpu_s": 1.0,
        "busy_s": 1.0,
        "cores": 2,
        "train": [[float(epoch), epoch + 1.0] for epoch in range(EPOCHS)],
        "over_s": 4.0,
        "validation": [
            {"epoch": epoch, "whole": True, "worker": worker, "start_s": start, "end_s": end}
            for epoch, worker, start, end in validation
        ],
        "hooks": [],
        "figures": [
            {"epoch": epoch, "step": 10 * epoch + 9, "val_loss": loss} for epoch, loss in enumerate(LOSSES)
        ],
        "weights": ["a", "b", "c", "d"],
        "memory": None,
    } | changes  # fmt: skip


def sequential(**changes: Any) -> dict[str, Any]:
    passes = [(epoch, 0, 1.5 * epoch + 1, 1.5 * epoch + 1.5) for epoch in range(EPOCHS)]
    return told(6.0, passes, train=[[1.5 * epoch, 1.5 * epoch + 1] for epoch in range(EPOCHS)], over_s=6.0) | changes


def without(**changes: Any) -> dict[str, Any]:
    return told(4.0, [], figures=[]) | changes


def persistent(wall_s: float = 4.5, **changes: Any) -> dict[str, Any]:
    """Validates each epoch as soon as it is trained: what a schedule can do at best, if it takes 4.5 s."""
    return told(wall_s, [(epoch, 0, epoch + 1.0, epoch + 1.5) for epoch in range(EPOCHS)]) | changes


def cell(rounds: int = 1, **by_scenario: dict[str, Any]) -> Cell:
    """With the same samples in every round; keywords replace some of them."""
    measured = {
        REFERENCE: by_scenario.get("sequential", sequential()),
        FLOOR: by_scenario.get("without", without()),
        PERSISTENT: by_scenario.get("persistent", persistent()),
    }
    if "documented" in by_scenario:
        measured[DOCUMENTED] = by_scenario["documented"]
    samples = {id: [Sample(number + 1, each) for number in range(rounds)] for id, each in measured.items()}
    return Cell("sleep", 0.5, EPOCHS, batches=10, validation_batches=5, samples=samples)


def overlap(*cells: Cell, **changes: Any) -> Overlap:
    return Overlap(Request(rounds=1), "Python 3.11", cells=list(cells or [cell()]), **changes)
