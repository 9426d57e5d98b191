"""What a bench found, for people: tables on a terminal and in bench.md, and bench.json beside it."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from harness.bench.costs import CONFIDENCE, Compared
from harness.bench.statistics import fewest
from harness.bench.strategies import BARE, LIGHTNING, Bench, Request
from harness.report.plain_table import Table
from harness.report.render import render, save


def write(bench: Bench, out: Path) -> None:
    """Write bench.json and bench.md into the folder `out`.

    Raises:
        UsageError: it cannot be written.
    """
    save(
        out,
        {
            "bench.json": json.dumps(bench.to_json(), indent=2, allow_nan=False) + "\n",
            "bench.md": render("bench.md.jinja", bench=bench, tables=tables(bench), remarks=remarks(bench)),
        },
    )


def print_bench(bench: Bench, console: Console) -> None:
    show(tables(bench), remarks(bench), console)


def show(tables: Sequence[Table], remarks: Sequence[str], console: Console) -> None:
    for table in tables:
        shown = RichTable(*map(escape, table.columns), title=escape(table.title), title_justify="left", box=None)
        for row in table.rows:
            shown.add_row(*map(escape, row))
        console.print(shown)
    for remark in remarks:
        console.print(escape(remark), soft_wrap=True, highlight=False)


def tables(bench: Bench) -> list[Table]:
    return [
        table
        for framework in BARE
        if (compared := bench.compared_in(framework))
        for table in (
            _counters(framework, compared, bench.request),
            _memory(framework, compared, bench.request),
            _time(framework, compared),
        )
    ]


def remarks(bench: Bench) -> list[str]:
    lines = []
    lines += [
        f"too noisy: the bare loop of {framework} differs from itself, or could by 5 %; do not trust its times"
        for framework in bench.too_noisy
    ]
    needed = fewest(CONFIDENCE)
    if bench.pairs and bench.pairs < needed:
        lines.append(f"no intervals: {100 * CONFIDENCE:.0f} % need {needed} pairs, and there are {bench.pairs}")
    for compared in bench.compared:
        if compared.cost.unstable:
            lines.append(f"not the same in two processes: {', '.join(compared.cost.unstable)} of {_name(compared)}")
    lines += [f"not benchmarked: {scenario}: {reason}" for scenario, reason in bench.left_out.items()]
    if bench.interrupted:
        lines.append("interrupted; this was measured by then")
    if not bench.compared:
        lines.append("nothing was measured, so nothing is decided")
    return lines


def _name(compared: Compared) -> str:
    return compared.cost.scenario


# In Keras the size of the step's graph, in torch what reaches a kernel.
OPERATIONS = {"keras": "operations in the step's graph"}


def _is_bare(compared: Compared) -> bool:
    return compared.cost is compared.bare


def _counters(framework: str, compared: Sequence[Compared], request: Request) -> Table:
    """The bare loop's own numbers, then what the others have more."""
    rows = []
    for each in compared:
        bare = _is_bare(each)
        counters = each.cost.counters if bare else each.counters
        cells = [_count(value, bare) for it in counters.values() for value in (it.median_step, it.epoch)]
        rows.append([_name(each), *cells])
    return Table(
        f"{framework}: exact counters, over the bare loop: the median step, and an epoch of {request.batches} batches "
        "with its end",
        ["scenario", "Python calls a step", "an epoch", OPERATIONS.get(framework, "operations a step"), "an epoch",
         "host syncs a step", "an epoch"],
        rows,
    )  # fmt: skip


def _memory(framework: str, compared: Sequence[Compared], request: Request) -> Table:
    rows = []
    for each in compared:
        bare = _is_bare(each)
        memory = each.cost.memory if bare else each.memory
        peaks = [_count(it.peak["live_bytes"], bare) for it in memory]
        last = memory[-1]
        values = [last.peak["held_bytes"], last.peak["held_values"], last.peak["objects"]]
        kept = [last.retained["live_bytes"], last.retained["objects"]]
        rows.append([
            _name(each), *peaks, _growth(each), *(_count(value, bare) for value in (*values, *kept)),
            f"{each.cost.memory[-1].peak_rss_bytes / 2**20:.0f} MiB",
        ])  # fmt: skip
    return Table(
        f"{framework}: memory, over the bare loop: bytes of live tensors at most, by batches in the epoch; the rest is "
        "of the last",
        ["scenario", *(f"{batches} batches" for batches in request.memory_batches), "growth",
         "held bytes", "held values", "objects", "bytes kept", "objects kept", "peak RSS"],
        rows,
    )  # fmt: skip


def _growth(each: Compared) -> str:
    grows = each.grows
    parts = [
        f"{grows[name]:+g} {unit} a batch"
        for name, unit in (("live_bytes", "bytes"), ("held_values", "values"))
        if grows.get(name)
    ]
    uneven = [name for name, slope in grows.items() if slope is None]
    return ", ".join(parts + [f"{name}: unevenly" for name in uneven]) or "none"


def _time(framework: str, compared: Sequence[Compared]) -> Table:
    logs = framework == LIGHTNING
    rows = []
    for each in compared:
        name = f"{_name(each)} (against itself)" if _is_bare(each) else _name(each)
        if each.ratio is None or each.extra_s is None:
            rows.append([name, "–", "–", "–", *(["–"] if logs else []), "0"])
            continue
        ratio, low, high = each.ratio
        share = each.share_of_log
        shared = ["–" if share is None else f"{share:.2f}"] if logs else []
        rows.append([
            name, f"{ratio:.3f}", f"{low:.3f} to {high:.3f}" if low else "–", f"{1e6 * each.extra_s:+.0f} µs",
            *shared, str(len(each.cost.pairs)),
        ])  # fmt: skip
    return Table(
        f"{framework}: time of a step over that of a bare step, in pairs of processes",
        ["scenario", "ratio", f"{100 * CONFIDENCE:.0f} % interval", "a step",
         *(["share of one self.log"] if logs else []), "pairs"],
        rows,
    )  # fmt: skip


def _count(value: float | None, absolute: bool) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if absolute else f"{value:+,}" if value else "0"
