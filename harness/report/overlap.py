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
DOCUMENTED = "parallel_validation/spawned_process/migrated"
HAND_OFF = ("hand_off_s", "start_up_s", "tear_down_s")
ENOUGH_CORES = 2
NONE, NEVER = "–", "never"
# Of the drawing, in its own units.
WIDTH, LABELS, LANE, GAP, AXIS = 1000.0, 250.0, 16.0, 12.0, 26.0
TICKS = 8
SHOWN = 1.5


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
        ends: of those that are not shown to their end.
        ticks: where a time stands, and which.
    """

    title: str
    width: float
    height: float
    labels: Sequence[tuple[str, float]]
    bars: Sequence[Bar]
    ends: Sequence[tuple[str, float]]
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
        *(_on_a_gpu(overlap["cuda"]) if overlap["cuda"] else ()),
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
    if any(cell["disturbed_rounds"] for cell in overlap["cells"]):
        lines.append("a round is disturbed where others worked enough to have changed the overlap")
    lines += [f"not measured: {item['scenario']}: {item['reason']}" for item in overlap["left_out"]]
    if overlap["status"] == "interrupted":
        lines.append("interrupted; this was measured by then")
    if not overlap["cells"]:
        lines.append("nothing was measured, so nothing is decided")
    return lines


def cell_title(cell: Json) -> str:
    if cell["train_s"] is None:
        return f"{cell['load']} load, {cell['epochs']} epochs"
    return (
        f"{cell['load']} load, {cell['epochs']} epochs of {_seconds(cell['train_s'])}, "
        f"validation {_seconds(cell['validation_s'])}"
    )


def _strategies(cell: Json) -> Table:
    columns = [
        "strategy", "same figures", "time", "speed-up", "of at most", "overlap efficiency", "hook an epoch",
        "start-up", "tear-down", "CPU", "pays from epoch", "predicted", "if validation takes",
    ]  # fmt: skip
    disturbed = f"{len(cell['disturbed_rounds'])} of {cell['rounds']} rounds disturbed"
    title = f"{cell_title(cell)} ({disturbed})" if cell["disturbed_rounds"] else cell_title(cell)
    return Table(title, columns, [_strategy(row, len(columns)) for row in cell["rows"]])


def _strategy(row: Json, width: int) -> list[str]:
    numbers = row["numbers"]
    if numbers is None:
        return [_name(row), f"no numbers: {row['reason']}", *[NONE] * (width - 2)]
    if row["scenario"] in (REFERENCE, FLOOR):
        agreement = "the reference" if row["scenario"] == REFERENCE else row["agreement"]
        return [_name(row), agreement, _times(numbers["wall_s"]), *[NONE] * 6, _times(numbers["cpu_s"]), *[NONE] * 3]
    pays = numbers["break_even"]
    return [
        _name(row),
        row["agreement"],
        _times(numbers["wall_s"]),
        _ratios(numbers["speed_up"]),
        f"{numbers['bound']:.2f}",
        _ratios(numbers["efficiency"]),
        *(_times(numbers[name]) for name in ("hand_off_s", "start_up_s", "tear_down_s", "cpu_s")),
        _epoch(pays["measured_epochs"]),
        _epoch(pays["predicted_epochs"]),
        NEVER if pays["predicted_validation_s"] is None else f"over {_seconds(pays['predicted_validation_s'])}",
    ]


def _hand_offs(cells: Sequence[Json]) -> list[Table]:
    rows = []
    for cell in cells:
        for row in cell["rows"]:
            if row["scenario"] not in (REFERENCE, FLOOR):
                numbers = row["numbers"] or dict.fromkeys(HAND_OFF)
                ratio = _ratios(cell["hand_off_ratio"]) if row["scenario"] == DOCUMENTED else NONE
                times = [_times(numbers[name]) for name in HAND_OFF]
                rows.append([_name(row), f"{cell['weights_bytes'] / 1e6:g} MB", times[0], ratio, *times[1:]])
    columns = ["strategy", "weights", "an epoch, when warm", "over a persistent worker", "start-up", "tear-down"]
    return [Table("Handing over weights: time in hooks, for which training waits", columns, rows)]


def _memory(found: Sequence[Json]) -> list[Table]:
    rows = [
        [_name(each), _bytes(each["own"]), str(len(each["workers"])),
         _bytes(each["workers"][0]) if each["workers"] else NONE]
        for each in found
    ]  # fmt: skip
    columns = ["strategy", "the process that trains", "other processes", "the largest of them"]
    return [Table("Private memory at most", columns, rows)]


def _on_a_gpu(reason: str) -> list[Table]:
    names = ("handing over weights on CUDA", "a second CUDA stream", "a second GPU")
    return [Table("On a GPU", ["what", "measured"], [[name, f"unavailable: {reason}"] for name in names])]


def _claims(claims: Sequence[Json]) -> Table:
    rows = []
    for claim in claims:
        verdict = claim["verdict"] + (f": {claim['why']}" if claim["why"] else "")
        parts = [[part["asked"], _range(part)] for part in claim["parts"]] or [[NONE, NONE]]
        rows += [[claim["claim"], verdict, *parts[0]], *([claim["claim"], "", *part] for part in parts[1:])]
    return Table("What the document claims of time", ["claim", "verdict", "it asks for", "measured"], rows)


def _range(part: Json) -> str:
    if part["low"] is None:
        return "nothing undisturbed"
    return f"{part['low']:.3g} to {part['high']:.3g}, {len(part['values'])} values"


def timeline(overlap: Json) -> Timeline | None:
    """Of all strategies on the first load whose ratio is nearest to 1; None if nothing was measured.

    It ends where sequential validation has taken `SHOWN` times its time: what takes longer says so.
    """
    cells = [cell for cell in overlap["cells"] if any(row["numbers"] for row in cell["rows"])]
    if not cells:
        return None
    cell = min(cells, key=lambda cell: abs(cell["ratio"] - 1))
    lines = [(_name(row), row["numbers"]["timeline"]) for row in cell["rows"] if row["numbers"]]
    walls = [line["wall_s"] for _, line in lines]
    shown = min(max(walls), SHOWN * walls[0])
    scale = (WIDTH - LABELS) / shown
    labels, bars, ends, y = [], [], [], 0.0
    for name, line in lines:
        labels.append((name, y))
        lanes = _lanes(line)
        for place, lane in enumerate(lanes):
            bars += [
                Bar(
                    LABELS + scale * start, y + place * LANE, max(1.0, scale * (min(end, shown) - start)), stage,
                    epoch + 1,
                    f"{'training' if stage == 'train' else 'validating'} epoch {epoch + 1}: "
                    f"{start:.2f} to {end:.2f} s",
                )
                for stage, epoch, start, end in lane
                if start < shown
            ]  # fmt: skip
        if line["wall_s"] > shown:
            ends.append((f"ends at {_seconds(line['wall_s'])} →", y))
        y += len(lanes) * LANE + GAP
    step = _step(shown / TICKS)
    ticks = [(LABELS + scale * step * number, f"{step * number:g} s") for number in range(int(shown / step) + 1)]
    return Timeline(cell_title(cell), WIDTH + 30, y + AXIS, labels, bars, ends, ticks)


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


def _name(row: Json) -> str:
    return str(row["scenario"]).removeprefix(DOCUMENT)


def _ratios(spread: Json | None) -> str:
    return _spread(spread, 1.0, ".2f", "")


def _times(spread: Json | None) -> str:
    """In the unit that suits the median; none if none were taken."""
    if spread is None or not spread["high"]:
        return NONE
    scale, form, unit = _unit(spread["median"])
    return _spread(spread, scale, form, unit)


def _spread(spread: Json | None, scale: float, form: str, unit: str) -> str:
    """The median, and the quartiles where they are not the same to these digits."""
    if spread is None:
        return NONE
    middle, low, high = (f"{scale * spread[name]:{form}}" for name in ("median", "low", "high"))
    return f"{middle}{unit}" if low == high else f"{middle}{unit} ({low} to {high})"


def _seconds(value: float) -> str:
    scale, form, unit = _unit(value)
    return f"{scale * value:{form}}{unit}"


def _unit(seconds: float) -> tuple[float, str, str]:
    """By what to multiply, how many digits to show, and of what."""
    if abs(seconds) >= 1:
        return 1.0, ".2f", " s"
    return 1e3, ".0f" if abs(seconds) >= 0.01 else ".2f", " ms"


def _bytes(value: int) -> str:
    return f"{value / 2**20:.0f} MiB"


def _epoch(value: int | None) -> str:
    return NEVER if value is None else str(value)
