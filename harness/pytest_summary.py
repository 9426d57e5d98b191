"""What `pytest --benchmark` ends with: what failed, what is biased, what is slow, and where all of it stands."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.bench.strategies import BARE
from harness.findings import Finding
from harness.report.text import bias, relative_bias
from harness.terminal import MOST, one_line
from harness.verdicts import FIGURES

SHOWN = 5


@dataclass(frozen=True)
class Ended:
    """An item that ran.

    Attributes:
        batch_s: seconds of a trial, by its batches; None if it was not timed.
    """

    scenario: str
    workload: str
    framework: str
    findings: Sequence[Finding]
    batch_s: float | None

    @property
    def name(self) -> str:
        return f"{self.scenario}@{self.workload}"


@dataclass(frozen=True)
class Part:
    """Rows of one kind, the gravest first, each a figure and what it is of."""

    title: str
    rows: Sequence[tuple[str, str]]
    colour: str


def write(reporter: pytest.TerminalReporter, ended: Sequence[Ended], report: Path | None) -> None:
    """Nothing, if no scenario ran.

    Args:
        report: None if there is none.
    """
    if not ended:
        return
    reporter.write_sep("=", "scenarios")
    width = reporter.config.get_terminal_writer().fullwidth if reporter.isatty else MOST
    for part in parts(ended):
        reporter.write_line(f"{part.title}: {len(part.rows)}", bold=True)
        for line in _lines(part.rows):
            reporter.write_line(one_line(line, width), **{part.colour: True})
    if not any(each.scenario in BARE.values() and each.batch_s for each in ended):
        reporter.write_line("slower: not known; a bare loop tells, as of --scenario='strategies/*bare_loop*'")
    if report:
        reporter.write_line(f"report:  {report}")


def parts(ended: Sequence[Ended]) -> list[Part]:
    """Those that have rows."""
    found = [
        Part("not as expected", list(_unexpected(ended)), "red"),
        Part("biased, as expected", list(_biased(ended)), "yellow"),
        Part("slower than the bare loop, a batch", list(_slow(ended)), "cyan"),
    ]
    return [part for part in found if part.rows]


def _unexpected(ended: Iterable[Ended]) -> Iterator[tuple[str, str]]:
    for each in ended:
        for finding in each.findings:
            if not finding.as_expected:
                yield finding.verdict, f"{finding.aggregate} of {each.name}, expected {finding.expected_verdict}"


def _biased(ended: Iterable[Ended]) -> Iterator[tuple[str, str]]:
    found = [
        (each, finding)
        for each in ended
        for finding in each.findings
        if finding.checker == FIGURES and finding.verdict == "biased" and finding.as_expected
    ]
    for each, finding in sorted(found, key=lambda pair: _size(pair[1]), reverse=True):
        yield bias(finding), f"{finding.aggregate} of {each.name}"


def _slow(ended: Sequence[Ended]) -> Iterator[tuple[str, str]]:
    bare = {(each.framework, each.workload): each.batch_s for each in ended if each.scenario == BARE[each.framework]}
    timed = [(each, bare.get((each.framework, each.workload))) for each in ended]
    ratios = [(each.batch_s / own, each.name) for each, own in timed if each.batch_s and own and each.batch_s > own]
    for ratio, name in sorted(ratios, reverse=True):
        yield f"× {ratio:.2f}", name


def _size(finding: Finding) -> float:
    relative = relative_bias(finding.observed, finding.truth)
    return 0.0 if relative is None else abs(relative)


def _lines(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    shown = rows[:SHOWN]
    widest = max(len(figure) for figure, _ in shown)
    yield from (f"  {figure:>{widest}}  {what}" for figure, what in shown)
    if len(rows) > SHOWN:
        yield f"  … and {len(rows) - SHOWN} more"
