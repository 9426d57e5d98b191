"""What each strategy costs, from bench.json: time with its interval, beside that of the bare loop against itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.plain_table import Table
from harness.report.plots import Interval, intervals
from harness.report.runs import Run

Json = Mapping[str, Any]

DOCUMENT = "strategies/"
COLUMNS = (
    "strategy", "a step's time over a bare one's", "more a step", "of one logged figure", "Python calls a step",
    "operations a step", "host syncs a step", "live bytes a batch",
)  # fmt: skip
NONE = "–"


@dataclass(frozen=True)
class Shown:
    """What a report shows of a run.

    Attributes:
        run: none of the others is shown where its strategies were judged and not measured.
        drawing: SVG of the times.
    """

    run: Run
    how: str
    remarks: Sequence[str]
    tables: Sequence[Table]
    drawing: str


def shown(runs: Iterable[Run]) -> list[Shown]:
    """Of the runs in which strategies ran, or were measured."""
    found = []
    for number, run in enumerate(runs, 1):
        bench = run.bench
        if bench is not None:
            by_framework: dict[str, list[Json]] = {}
            for cost in bench["costs"]:
                by_framework.setdefault(cost["framework"], []).append(cost)
            found.append(
                Shown(
                    run=run,
                    how=_how(bench),
                    remarks=_remarks(bench),
                    tables=[_table(framework, costs) for framework, costs in by_framework.items()],
                    drawing=_drawing(f"costs{number}", by_framework),
                )
            )
        elif any(finding.scenario.startswith(DOCUMENT) for finding in run.findings):
            found.append(Shown(run, "", (), (), ""))
    return found


def _how(bench: Json) -> str:
    arguments, workload = bench["arguments"], bench["workload"]
    return (
        f"{arguments['rounds']} rounds of pairs of processes, an epoch of {workload['batches']} batches of "
        f"{workload['batch_size']} of {workload['dataset']} each, on {bench['machine']['platform']}; "
        f"{bench['environment'] or 'environment not known'}"
    )


def _remarks(bench: Json) -> list[str]:
    lines = [
        f"too noisy: the bare loop of {framework} differs from itself, or could by 5 %; do not trust its times"
        for framework in bench["too_noisy"]
    ]
    if any(cost["time"] and cost["time"]["low"] is None for cost in bench["costs"]):
        lines.append(f"no intervals of {100 * bench['confidence']:.0f} %: there are too few rounds")
    lines += [f"not measured: {item['scenario']}: {item['reason']}" for item in bench["left_out"]]
    if bench["status"] == "interrupted":
        lines.append("interrupted; this was measured by then")
    return lines


def _table(framework: str, costs: Sequence[Json]) -> Table:
    return Table(framework, COLUMNS, [_row(cost) for cost in costs])


def _row(cost: Json) -> list[str]:
    counters, grows = cost["counters_over_bare"], cost["peak_growth_per_batch"]
    name = cost["scenario"].removeprefix(DOCUMENT)
    if cost["scenario"] == cost["bare"]:
        return [f"{name} (A/A: against itself)", _time(cost["time"]), *[NONE] * (len(COLUMNS) - 2)]
    time = cost["time"] or {"extra_s_per_step": None, "share_of_log": None}
    return [
        name,
        _time(cost["time"]),
        _number(time["extra_s_per_step"], 1e6, ".0f", " µs"),
        _number(time["share_of_log"], 1, ".2f"),
        *(_number(counters[name]["median_step"]) for name in ("python_calls", "operations", "host_syncs")),
        _number(grows.get("live_bytes")),
    ]


def _time(time: Json | None) -> str:
    if time is None:
        return NONE
    if time["low"] is None or time["high"] is None:
        return f"{time['ratio']:.3f} (no interval)"
    return f"{time['ratio']:.3f} ({time['low']:.3f} to {time['high']:.3f})"


def _number(value: float | None, scale: float = 1, form: str = "g", unit: str = "") -> str:
    return NONE if value is None else f"{scale * value:+{form}}{unit}".replace("-", "−")


def _drawing(name: str, by_framework: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        Interval(
            group=framework,
            label=cost["scenario"].removeprefix(DOCUMENT),
            value=cost["time"]["ratio"],
            low=cost["time"]["low"],
            high=cost["time"]["high"],
            is_reference=cost["scenario"] == cost["bare"],
        )
        for framework, costs in by_framework.items()
        for cost in costs
        if cost["time"]
    ]
    return intervals(name, rows) if rows else ""
