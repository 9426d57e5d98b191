"""Trials under faults as tables: which hooks run under which fault, how each trial ends, and what proves it."""

import signal
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.faults.fault import NONE
from harness.findings import GRAVITY, Finding
from harness.history import reader
from harness.history.reader import Operation
from harness.report import anchors
from harness.report.history import Line, lines
from harness.report.runs import FINE, Run
from harness.report.tables import count
from harness.report.text import cut
from harness.scenario import CELL_VERDICTS
from harness.verdicts import CELLS, FIGURES

BEFORE, MOST_LINES, AT_THE_EDGES = 5, 60, 8
MOST_NAME = 300
NO_SUCH_HOOK, NOT_JUDGED, NOT_RUN, NOT_SEEN = "no such hook", "not judged", "not run", "not so"
ENDED, TOLD, RECORD = "how the process ended", "what the caller was told", "the record file"
FIGURES_FOUND = "figures"

Subject = tuple[str, str, str]  # scenario, workload, placement


@dataclass(frozen=True)
class Trial:
    """One trial under a fault.

    Attributes:
        anchor: where the report tells what it showed.
        cells: one for each hook of the matrix; None where it was not judged.
        ended: how its process did; empty if nobody saw it.
        told: what the caller of `fit` got; empty if the process was gone by then, or that is not known.
        process, caller, record: the findings on that, of several the gravest; None where it was not judged.
        figures: verdict → how many.
        further: what else is not ok, or not as expected.
        lines: of its history, from a little before the fault to the end, and whatever a cell rests on; abridged.
    """

    name: str
    anchor: str
    fault: str
    cells: tuple[Finding | None, ...]
    ended: str
    told: str
    process: Finding | None
    caller: Finding | None
    record: Finding | None
    figures: Mapping[str, int]
    unexpected_figures: int
    further: tuple[Finding, ...]
    history: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """One run's trials, a row for each fault."""

    run: Run
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Difference:
    """What is not the same in all runs; a value for each run.

    Attributes:
        faults: under which it is so, with the trial of every run that has it; none for a hook that a run lacks.
    """

    what: str
    values: tuple[str, ...]
    faults: Mapping[str, tuple[tuple[Run, Trial], ...]]


@dataclass(frozen=True)
class Matrix:
    """A scenario under faults, run by run.

    Attributes:
        owners: who owns the next so many hooks; the module's own hooks come last.
        hooks: as findings name them, in the order of the cells.
        differs: (fault, hook) of cells that are not the same in all runs.
    """

    scenario: str
    workload: str
    placement: str
    owners: tuple[tuple[str, int], ...]
    hooks: tuple[str, ...]
    tables: tuple[Table, ...]
    differences: tuple[Difference, ...]
    differs: frozenset[tuple[str, str]]

    @property
    def short_names(self) -> tuple[str, ...]:
        return tuple(hook.rpartition(".")[2] for hook in self.hooks)


def matrices(runs: Sequence[Run]) -> list[Matrix]:
    """One for each scenario, workload and placement that ran under faults; histories are read."""
    subjects: dict[Subject, dict[int, dict[str, list[Finding]]]] = {}
    for number, run in enumerate(runs):
        for finding in run.findings:
            if finding.fault != NONE:
                subject = (finding.scenario, finding.workload, finding.placement)
                faults = subjects.setdefault(subject, {}).setdefault(number, {})
                faults.setdefault(finding.fault, []).append(finding)
    return [_matrix(runs, subject, found) for subject, found in subjects.items()]


def _matrix(runs: Sequence[Run], subject: Subject, found: Mapping[int, Mapping[str, Sequence[Finding]]]) -> Matrix:
    cells = [each for faults in found.values() for findings in faults.values() for each in findings if _is_cell(each)]
    names = list(dict.fromkeys(cell.aggregate for cell in cells))
    owners = [*dict.fromkeys(owner for name in names if (owner := _owner(name))), ""]
    hooks = tuple(sorted(names, key=lambda name: owners.index(_owner(name))))
    owned = Counter(map(_owner, hooks))
    tables = tuple(
        Table(
            runs[number],
            tuple(
                _trial(runs[number], anchors.of_trial(number + 1, findings[0].trial), hooks, findings)
                for findings in faults.values()
            ),
        )
        for number, faults in found.items()
    )
    differences, differs = _differences(hooks, tables)
    return Matrix(
        *subject,
        owners=tuple((owner or "the module", owned[owner]) for owner in owners if owned[owner]),
        hooks=hooks,
        tables=tables,
        differences=differences,
        differs=differs,
    )


def _is_cell(finding: Finding) -> bool:
    return finding.checker == CELLS and finding.verdict in CELL_VERDICTS  # or else its checker failed


def _owner(hook: str) -> str:
    return hook.rpartition(".")[0]


def _trial(run: Run, anchor: str, hooks: Sequence[str], findings: Sequence[Finding]) -> Trial:
    cells = {finding.aggregate: finding for finding in findings if _is_cell(finding)}
    process, caller, record = (
        max((finding for finding in findings if finding.checker == checker), key=_gravity, default=None)
        for checker in ("process", "exception", "record")
    )
    figures = [finding for finding in findings if finding.checker == FIGURES]
    path = run.directory.history(findings[0].trial)
    try:
        operations: Sequence[Operation] = reader.read(path).operations
    except (UsageError, ValueError):  # gone, or damaged: then there is nothing to show
        operations = ()
    return Trial(
        name=findings[0].trial,
        anchor=anchor,
        fault=findings[0].fault,
        cells=tuple(cells.get(hook) for hook in hooks),
        ended=_ended(operations),
        told=_told(operations),
        process=process,
        caller=caller,
        record=record,
        figures=count([finding.verdict for finding in figures]),
        unexpected_figures=sum(not finding.as_expected for finding in figures),
        further=tuple(
            finding
            for finding in findings
            if (finding.verdict not in FINE or not finding.as_expected)
            and finding not in (process, caller, record, *cells.values(), *figures)
        ),
        history=f"{path.parent.name}/{path.name}",
        lines=_lines(run, findings[0].trial, operations, {line for cell in cells.values() for line in cell.evidence}),
    )


def _gravity(finding: Finding) -> tuple[bool, int]:
    return not finding.as_expected, GRAVITY.index(finding.verdict)


def _ended(operations: Iterable[Operation]) -> str:
    end = next((each.value for each in operations if each.f == "exit"), None)
    if end is None:
        return ""
    if end["timed_out"]:
        return f"killed after {end['limit_s']:g} s" + (f", at {end['where']}" if end["where"] else "")
    status = end["status"]
    if status is None:
        return "took its supervisor down with it"
    return f"died of {_signal(-status)}" if status < 0 else f"exit status {status}"


def _signal(number: int) -> str:
    return signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"  # real-time ones


def _told(operations: Iterable[Operation]) -> str:
    last = [each for each in operations if each.f == "trial" and each.type in ("ok", "fail") and each.rank == 0][-1:]
    if not last:
        return ""
    return "fit returned" if last[0].type == "ok" else cut(str(last[0].value["exception"]), MOST_NAME)


def _lines(run: Run, trial: str, operations: Sequence[Operation], evidence: set[int]) -> tuple[Line, ...]:
    """At most `MOST_LINES`: where there are more, what cells rest on, the edges, and as much of the rest as there is
    room for."""
    if not operations:
        return ()
    fault = next((each.line for each in operations if each.f == "fault"), operations[0].line)
    last = operations[-1].line
    first = max(1, fault - BEFORE)
    edges = [*range(first, first + BEFORE + AT_THE_EDGES), *range(last - AT_THE_EDGES + 1, last + 1)]
    ranked = dict.fromkeys([*sorted(evidence), *edges, *range(first, last + 1)])
    wanted = [number for number in ranked if 1 <= number <= last][:MOST_LINES]
    return lines(run.directory.history(trial), wanted, evidence)


def _differences(
    hooks: Sequence[str], tables: Sequence[Table]
) -> tuple[tuple[Difference, ...], frozenset[tuple[str, str]]]:
    """Equal differences under several faults are one; a hook that a run never has is told once."""
    trials = [{trial.fault: trial for trial in table.trials} for table in tables]
    lacking = [{hook for place, hook in enumerate(hooks) if _lacks(table, place)} for table in tables]
    grouped: dict[tuple[str, tuple[str, ...]], list[str]] = {
        (hook, tuple(NO_SUCH_HOOK if hook in lacks else "there" for lacks in lacking)): []
        for hook in hooks
        if any(hook in lacks for lacks in lacking)
    }
    differs = set()
    for fault in dict.fromkeys(fault for each in trials for fault in each):
        rows = [
            _in_words(each[fault], hooks, lacks) if fault in each else {}
            for each, lacks in zip(trials, lacking, strict=True)
        ]
        for what in dict.fromkeys(what for row in rows for what in row):
            lacks_it = NO_SUCH_HOOK if what in hooks else NOT_SEEN
            values = tuple(row.get(what, lacks_it) if row else NOT_RUN for row in rows)
            if len({*values} - {NO_SUCH_HOOK, NOT_RUN}) > 1:
                grouped.setdefault((what, values), []).append(fault)
                differs.add((fault, what))
    behind = {
        fault: tuple((table.run, each[fault]) for table, each in zip(tables, trials, strict=True) if fault in each)
        for fault, _ in differs
    }
    order = [*hooks, ENDED, TOLD, RECORD, FIGURES_FOUND]
    differences = [
        Difference(what, values, {fault: behind[fault] for fault in faults})
        for (what, values), faults in grouped.items()
    ]
    differences.sort(key=lambda each: order.index(each.what) if each.what in order else len(order))
    return tuple(differences), frozenset(differs)


def _lacks(table: Table, place: int) -> bool:
    return all(trial.cells[place] is None for trial in table.trials)


def _in_words(trial: Trial, hooks: Sequence[str], lacks: set[str]) -> dict[str, str]:
    return {
        **{
            hook: cell.verdict if cell else NOT_JUDGED
            for hook, cell in zip(hooks, trial.cells, strict=True)
            if hook not in lacks
        },
        ENDED: trial.ended.partition(",")[0] or NOT_JUDGED,
        TOLD: trial.told or "nothing",
        RECORD: trial.record.verdict if trial.record else NOT_JUDGED,
        FIGURES_FOUND: ", ".join(f"{times} {verdict}" for verdict, times in trial.figures.items()) or "none",
        **{f"{finding.checker}: {finding.aggregate}": finding.verdict for finding in trial.further},
    }
