"""What a run, a comparison or a bench came to: a table on a terminal, a line for each thing elsewhere."""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.bench.costs import Compared
from harness.bench.strategies import Bench
from harness.comparison.differences import CLASSES, Difference
from harness.comparison.result import EXIT_NO_REGRESSION, Comparison
from harness.faults.fault import NONE
from harness.findings import GRAVITY, Finding
from harness.progress import in_a_line
from harness.report.text import bias, relative_bias
from harness.run import EXIT_AS_EXPECTED, Result
from harness.scenario import CELL_VERDICTS
from harness.terminal import STYLES, one_line, room, say, table
from harness.verdicts import CELLS, FIGURES

GOOD, BAD = "bold green", "bold red"
Row = list[str | Text]
LEGIBLE = 30  # columns of a terminal, for a place


@dataclass
class Group:
    """What was found of a document, or of a pattern of one.

    Attributes:
        figures: verdict → how many, where nothing was to go wrong; `cells` those of hooks under faults.
        most_biased: the figure that is farthest from the truth, relative to it.
    """

    name: str
    figures: Counter[str] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)
    unexpected: int = 0
    most_biased: Finding | None = None

    def add(self, finding: Finding) -> None:
        self.unexpected += not finding.as_expected
        if finding.checker == CELLS:
            self.cells[finding.verdict] += 1
        if finding.checker != FIGURES or finding.fault != NONE:
            return
        self.figures[finding.verdict] += 1
        if finding.verdict != "exact" and _size(finding) > _size(self.most_biased):
            self.most_biased = finding

    def __str__(self) -> str:
        parts = [_in_words(self.figures, GRAVITY) or "no figures"]
        parts += [f"hooks under faults {_in_words(self.cells, CELL_VERDICTS)}"] if self.cells else []
        parts += [f"{self.unexpected} not as expected"] if self.unexpected else []
        parts += [f"largest bias {bias(self.most_biased)}, {_where(self.most_biased)}"] if self.most_biased else []
        return f"{self.name}: {'; '.join(parts)}"


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """By document; by pattern, if all are of one document."""
    groups: dict[str, Group] = {}
    found = list(findings)
    depth = 2 if len({_part(each.scenario, 1) for each in found}) == 1 else 1
    for each in found:
        name = _part(each.scenario, depth)
        groups.setdefault(name, Group(name)).add(each)
    return [groups[name] for name in sorted(groups)]


def print_run(result: Result, console: Console) -> None:
    groups = grouped(result.directory.read_findings())
    tables = _tables(groups, console) if console.is_terminal else []
    _set_apart(tables, console)
    for line in _counts(result):
        say(console, line)
    for group in () if tables else groups:
        say(console, f"of {group}")
    for line in _notes(result):
        say(console, line)
    if first := result.verdicts.first:
        say(console, f"first:   {in_a_line(first)}", BAD)
    say(console, _outcome(result), GOOD if result.exit_code == EXIT_AS_EXPECTED else BAD)
    for decision in result.decisions:
        if not decision.as_expected:
            told = f"claim {decision.claim.id}: {decision.verdict}, expected: {decision.expected_verdict}"
            say(console, f"unexpected: {told}", BAD)
    print_report(result.directory.path / "report.html", console)


def print_comparison(comparison: Comparison, report: Path | None, console: Console) -> None:
    """Args:
    report: the file that holds all of it, if it was asked for.
    """
    *lines, answer = comparison.summary().split("\n")
    for line in lines:
        text = line.lstrip(" ")
        say(console, text, indent=len(line) - len(text))
    changed = _changes(comparison.differences)
    if console.is_terminal and changed:
        there = [kind for kind in CLASSES if any(kinds[kind] for kinds in changed.values())]
        rows: list[Row] = [[name, *_numbers(kinds, there)] for name, kinds in changed.items()]
        _set_apart([table({"trials that differ": False, **dict.fromkeys(there, True)}, rows)], console)
    elif changed:
        for name, kinds in changed.items():
            say(console, f"of {name}: {', '.join(f'{kinds[kind]} × {kind}' for kind in CLASSES if kinds[kind])}")
    say(console, answer, GOOD if comparison.exit_code == EXIT_NO_REGRESSION else BAD)
    if report:
        print_report(report, console)


def print_bench(bench: Bench, out: Path | None, console: Console) -> None:
    """The dearest first, after all that was measured."""
    dearest = sorted(bench.compared, key=_ratio, reverse=True)
    shown = [each for each in dearest if each.cost is not each.bare]
    if console.is_terminal and shown:
        columns = {
            "over the bare loop": False, "time": True, "Python calls": True, "host syncs": True, "memory": False,
        }  # fmt: skip
        _set_apart([table(columns, [[each.cost.scenario, *_costs(each)] for each in shown])], console)
    else:
        for each in shown:
            time, calls, syncs, memory = _costs(each)
            say(
                console,
                f"of {each.cost.scenario}: time {time}, Python calls a step {calls}, host syncs a step {syncs}, "
                f"memory {memory}",
            )
    if out is not None:
        print_report(out / "bench.md", console)


def print_report(path: Path, console: Console) -> None:
    say(console, f"report:  {path}", most=sys.maxsize)


# A run


def _tables(groups: Sequence[Group], console: Console) -> list[Table]:
    """Of figures, and where the largest bias is if there is room for that; of hooks under faults. None if the terminal
    is too narrow."""
    shown = []
    if verdicts := [verdict for verdict in GRAVITY if any(group.figures[verdict] for group in groups)]:
        columns = {"figures": False, **dict.fromkeys(verdicts, True), "not expected": True, "bias": True}
        rows: list[Row] = [[each.name, *_numbers(each.figures, verdicts), *_worst(each)] for each in groups]
        figures = table(columns, rows)
        free = room(console, figures)
        if free < 0:
            return []
        if free > LEGIBLE:
            for row, each in zip(rows, groups, strict=True):
                row.append(Text(_where(each.most_biased), style="dim"))
            figures = table(columns | {"at most, of": False}, rows)
        shown.append(figures)
    if any(group.cells for group in groups):
        columns = {"hooks under faults": False, **dict.fromkeys(CELL_VERDICTS, True)}
        rows = [[each.name, *_numbers(each.cells, CELL_VERDICTS)] for each in groups if each.cells]
        shown.append(table(columns, rows))
    return shown


def _worst(group: Group) -> list[Text]:
    """How many findings are not as expected, and how far a figure is from the truth."""
    found = Text(str(group.unexpected), BAD) if group.unexpected else Text("·", "dim")
    return [found, Text(bias(group.most_biased) if group.most_biased else "·")]


def _counts(result: Result) -> Iterator[str]:
    verdicts = result.verdicts
    yield f"figures: {_in_words(verdicts.figures, sorted(verdicts.figures)) or 'none'}"
    if verdicts.under_faults:
        told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.cells.items()) or "none"
        yield f"faults:  {verdicts.under_faults} trials, {sum(verdicts.cells.values())} cells: {told}"
    claims = Counter(decision.verdict for decision in result.decisions)
    if claims:
        yield f"claims:  {_in_words(claims, sorted(claims))}"


def _notes(result: Result) -> Iterator[str]:
    for reason, count in Counter(item.reason for item in result.unavailable).items():
        yield f"unavailable: {count} trials: {reason}"
    if result.retries:
        trials = len({each.trial for each in result.retries})
        yield f"handed over again: {trials} trials, whose worker or node was lost: {result.retries[0].why}"
    if result.interrupted:
        yield "interrupted; what had run by then is kept"


def _outcome(result: Result) -> str:
    if not result.verdicts.findings:
        return "nothing ran, so nothing is decided"
    if result.verdicts.unexpected:
        return f"{result.verdicts.unexpected} findings are not as expected"
    return f"every finding {'until then ' if result.interrupted else ''}is as expected"


def _part(scenario: str, depth: int) -> str:
    return "/".join(scenario.split("/")[:depth])


def _where(finding: Finding | None) -> str:
    return one_line(f"{finding.aggregate} of {finding.scenario} on {finding.on}") if finding else ""


def _size(finding: Finding | None) -> float:
    """How far it is from the truth, relative to it; where that cannot be said, below all."""
    relative = relative_bias(finding.observed, finding.truth) if finding else None
    return -1.0 if relative is None else abs(relative)


# A comparison


def _changes(differences: Iterable[Difference]) -> dict[str, Counter[str]]:
    """Document → class → in how many trials; those that are accepted are left out."""
    trials: dict[str, dict[str, set[str]]] = {}
    for each in differences:
        if not each.accepted:
            of = trials.setdefault(_part(each.key.scenario, 1), {})
            of.setdefault(each.kind, set()).add(f"{each.key}, {each.key.placement}")
    return {name: Counter({kind: len(keys) for kind, keys in trials[name].items()}) for name in sorted(trials)}


# A bench


def _ratio(compared: Compared) -> float:
    return compared.ratio[0] if compared.ratio else -math.inf


def _costs(compared: Compared) -> tuple[str, str, str, str]:
    """Of a step, over a bare one: its time, Python calls and host syncs; and how memory grows with batches."""
    calls, syncs = (
        _more(compared.counters[name].median_step) if name in compared.counters else "–"
        for name in ("python_calls", "host_syncs")
    )
    slopes = [slope for name, slope in compared.grows.items() if name in ("live_bytes", "held_values")]
    memory = "unevenly" if None in slopes else "O(n)" if any(slopes) else "O(1)" if slopes else "–"
    return f"× {_ratio(compared):.2f}" if compared.ratio else "–", calls, syncs, memory


def _more(count: float | None) -> str:
    return "–" if count is None else f"{count:+,g}" if count else "0"


# All of them


def _set_apart(tables: Sequence[Table], console: Console) -> None:
    for each in tables:
        console.print()
        console.print(each)
    if tables:
        console.print()


def _numbers(counts: Counter[str], names: Iterable[str]) -> list[Text]:
    return [Text(str(counts[name]), STYLES.get(name, "")) if counts[name] else Text("·", "dim") for name in names]


def _in_words(counts: Counter[str], order: Iterable[str]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in order if counts[name])
