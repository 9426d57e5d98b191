"""Validation beside training as the reports and the terminal show it: tables and a timeline, from overlap.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.plain_table import Table
from harness.report.runs import Run

Json = Mapping[str, Any]

DOCUMENT = "parallel_validation/"
REFERENCE = "parallel_validation/sequential/recommended"
FLOOR = "parallel_validation/no_validation/control"
ENOUGH_CORES = 2
NONE = "–"
# Of the drawing, in its own units.
WIDTH, LABELS, LANE, GAP, AXIS = 1000.0, 250.0, 16.0, 12.0, 26.0
TICKS = 8


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    stage: str
    epoch: int
    title: str


@dataclass(frozen=True)
class Timeline:
    """When epochs were trained and validated.

    Attributes:
        labels: of a strategy, and where it begins.
        ticks: where a time stands, and which.
    """

    title: str
    width: float
    height: float
    labels: Sequence[tuple[str, float]]
    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Shown:
    """What a report shows of a run.

    Attributes:
        run: None of the others is shown where the run has nothing that was measured.
        drawing: the file beside the report that holds the timeline; empty if there is none.
    """

    run: Run
    remarks: Sequence[str]
    tables: Sequence[Table]
    timeline: Timeline | None
    drawing: str


def shown(runs: Sequence[Run]) -> list[Shown]:
    """Of the runs in which something validated beside training, or was measured to."""
    found = []
    for number, run in enumerate(runs, 1):
        if run.overlap is not None:
            drawn = timeline(run.overlap)
            drawing = f"overlap{f'-{number}' if len(runs) > 1 else ''}.svg" if drawn else ""
            found.append(Shown(run, remarks(run.overlap), tables(run.overlap), drawn, drawing))
        elif any(finding.scenario.startswith(DOCUMENT) for finding in run.findings):
            found.append(Shown(run, (), (), None, ""))
    return found


def tables(overlap: Json) -> list[Table]:
    return [
        *(_strategies(cell) for cell in overlap["cells"]),
        *(_hand_offs(overlap["hand_offs"]) if overlap["hand_offs"] else ()),
        *(_memory(overlap["memory"]) if overlap["memory"] else ()),
        _claims(overlap["claims"]),
    ]


def remarks(overlap: Json) -> list[str]:
    """What is to be known before the numbers are believed."""
    lines = []
    free = overlap["machine"]["free_cores"]
    if free is not None and round(free, 1) < ENOUGH_CORES:
        lines.append(
            f"only {free:.1f} of {overlap['machine']['cores']} cores were free: where validation computes, it cannot "
            "win here by running beside training"
        )
    for cell in overlap["cells"]:
        if cell["disturbed_rounds"]:
            lines.append(
                f"disturbed: others worked enough to change the overlap, in {len(cell['disturbed_rounds'])} of "
                f"{cell['rounds']} rounds of: {cell_title(cell)}"
            )
    lines += [f"not measured: {item['scenario']}: {item['reason']}" for item in overlap["left_out"]]
    if overlap["status"] == "interrupted":
        lines.append("interrupted; what was measured by then is kept")
    if not overlap["cells"]:
        lines.append("nothing was measured, so nothing is decided")
    return lines


def cell_title(cell: Json) -> str:
    if cell["train_s"] is None:
        return f"{cell['load']} load, ratio {cell['ratio']:g}, {cell['epochs']} epochs"
    return (
        f"{cell['load']} load, {cell['epochs']} epochs of {_seconds(cell['train_s'])}, "
        f"validation {_seconds(cell['validation_s'])}"
    )


def _strategies(cell: Json) -> Table:
    columns = [
        "strategy", "same figures", "time", "speed-up", "of at most", "overlap efficiency", "hook, an epoch",
        "start-up", "tear-down", "CPU", "pays from epoch (predicted)",
    ]  # fmt: skip
    return Table(cell_title(cell), columns, [_strategy(row, len(columns)) for row in cell["rows"]])


def _strategy(row: Json, width: int) -> list[str]:
    numbers = row["numbers"]
    if numbers is None:
        return [row["scenario"], f"no numbers: {row['reason']}", *[NONE] * (width - 2)]
    compared = row["scenario"] not in (REFERENCE, FLOOR)
    pays = numbers["break_even"]
    return [
        row["scenario"],
        "the reference" if row["scenario"] == REFERENCE else row["agreement"],
        _spread(numbers["wall_s"], _seconds),
        *(
            (
                _spread(numbers["speed_up"], _ratio),
                _ratio(numbers["bound"]),
                _spread(numbers["efficiency"], _ratio),
                *(_spread(numbers[name], _seconds) for name in ("hand_off_s", "start_up_s", "tear_down_s")),
            )
            if compared
            else [NONE] * 6
        ),
        _spread(numbers["cpu_s"], _seconds),
        f"{_epoch(pays['measured_epochs'])} ({_epoch(pays['predicted_epochs'])})" if compared else NONE,
    ]


def _hand_offs(cells: Sequence[Json]) -> list[Table]:
    rows = [
        [row["scenario"], f"{cell['weights_bytes'] / 1e6:g} MB",
         *(_spread(row["numbers"][name], _seconds) if row["numbers"] else NONE
           for name in ("hand_off_s", "start_up_s", "tear_down_s"))]
        for cell in cells
        for row in cell["rows"]
        if row["scenario"] not in (REFERENCE, FLOOR)
    ]  # fmt: skip
    title = "Handing over weights: seconds in hooks while training waits"
    return [Table(title, ["strategy", "weights", "an epoch, when warm", "start-up", "tear-down"], rows)]


def _memory(found: Sequence[Json]) -> list[Table]:
    rows = [
        [each["scenario"], _bytes(each["own"]), str(len(each["workers"])),
         _bytes(each["workers"][0]) if each["workers"] else NONE]
        for each in found
    ]  # fmt: skip
    columns = ["strategy", "the process that trains", "other processes", "the largest of them"]
    return [Table("Private memory at most", columns, rows)]


def _claims(claims: Sequence[Json]) -> Table:
    rows = [
        [claim["claim"], claim["verdict"] if claim["verdict"] != "undecided" else f"undecided: {claim['why']}",
         "; ".join(f"{part['asked']}: {_range(part)}" for part in claim["parts"]) or NONE]
        for claim in claims
    ]  # fmt: skip
    return Table("What the document claims of time", ["claim", "verdict", "by"], rows)


def _range(part: Json) -> str:
    return "not measured" if part["low"] is None else f"{part['low']:.3g} to {part['high']:.3g}"


def timeline(overlap: Json) -> Timeline | None:
    """Of all strategies on the first load whose ratio is nearest to 1; None if nothing was measured."""
    cells = [cell for cell in overlap["cells"] if any(row["numbers"] for row in cell["rows"])]
    if not cells:
        return None
    cell = min(cells, key=lambda cell: abs(cell["ratio"] - 1))
    rows = [row for row in cell["rows"] if row["numbers"]]
    longest = max(row["numbers"]["timeline"]["wall_s"] for row in rows)
    scale = (WIDTH - LABELS) / longest
    labels, bars, y = [], [], 0.0
    for row in rows:
        labels.append((row["scenario"].removeprefix("parallel_validation/"), y))
        lanes = _lanes(row["numbers"]["timeline"])
        for place, lane in enumerate(lanes):
            bars += [
                Bar(
                    LABELS + scale * start, y + place * LANE, max(1.0, scale * (end - start)), stage, epoch + 1,
                    f"{'training' if stage == 'train' else 'validating'} epoch {epoch + 1}: "
                    f"{start:.2f} to {end:.2f} s",
                )
                for stage, epoch, start, end in lane
            ]  # fmt: skip
        y += len(lanes) * LANE + GAP
    step = _step(longest / TICKS)
    ticks = [(LABELS + scale * step * number, f"{step * number:g} s") for number in range(int(longest / step) + 1)]
    return Timeline(cell_title(cell), WIDTH + 30, y + AXIS, labels, bars, ticks)


def _lanes(timeline: Json) -> list[list[tuple[str, int, float, float]]]:
    """Training in a lane of its own; below it validation, in as many as there is at once."""
    training = [("train", epoch, start, end) for epoch, (start, end) in enumerate(timeline["train"])]
    lanes: list[list[tuple[str, int, float, float]]] = []
    for each in sorted(timeline["validation"], key=lambda each: float(each["start_s"])):
        bar = ("validation", each["epoch"], each["start_s"], each["end_s"])
        free = next((lane for lane in lanes if lane[-1][3] <= each["start_s"]), None)
        if free is None:
            lanes.append([bar])
        else:
            free.append(bar)
    return [training, *lanes]


def _step(least: float) -> float:
    """The next larger of 1, 2 and 5 times a power of ten."""
    power = 10.0**-9
    while True:
        for factor in (1, 2, 5):
            if factor * power >= least:
                return factor * power
        power *= 10


def _spread(spread: Json | None, show: Any) -> str:
    if spread is None:
        return NONE
    middle, low, high = (show(spread[name]) for name in ("median", "low", "high"))
    return middle if low == high else f"{middle} ({low} to {high})"


def _ratio(value: float) -> str:
    return f"{value:.2f}"


def _seconds(value: float) -> str:
    """To three digits, in the unit that suits."""
    if abs(value) >= 1:
        return f"{value:.2f} s"
    return f"{1e3 * value:.0f} ms" if abs(value) >= 0.01 else f"{1e3 * value:.2g} ms"


def _bytes(value: int) -> str:
    return f"{value / 2**20:.0f} MiB"


def _epoch(value: int | None) -> str:
    return "never" if value is None else str(value)
