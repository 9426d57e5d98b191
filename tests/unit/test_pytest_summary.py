"""What `pytest --benchmark` ends with, of items made by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.bench.strategies import BARE
from harness.findings import Finding
from harness.pytest_summary import Ended, parts, write

HOSTILE = "\x1b[2J[red]loss"


class Reporter:
    """As much of pytest's as is called, on a terminal so wide; of no width, in a pipe."""

    def __init__(self, width: int = 0) -> None:
        self.isatty = bool(width)
        self.config = self
        self.fullwidth = width or 80
        self.lines: list[str] = []

    def get_terminal_writer(self) -> "Reporter":
        return self

    def write_sep(self, sep: str, title: str) -> None:
        self.lines.append(f"{sep} {title}")

    def write_line(self, line: str, **_: bool) -> None:
        self.lines.append(line)


def lines(ended: list[Ended], report: Path | None = None, width: int = 0) -> list[str]:
    reporter: Any = Reporter(width)
    write(reporter, ended, report)
    told: list[str] = reporter.lines
    return told


def item(name: str, *findings: Finding, batch_s: float | None = 1.0, workload: str = "digits/even") -> Ended:
    return Ended(name, workload, "lightning", findings, batch_s)


def test_without_an_item_nothing_is_told() -> None:
    assert lines([], Path("report.html")) == []


def test_what_failed_what_is_biased_what_is_slow_and_where_the_report_is(finding: Callable[..., Finding]) -> None:
    biased = [finding(verdict="biased", expected_verdict="biased", observed=value) for value in (0.51, 0.4)]
    ended = [
        item(BARE["lightning"], finding()),
        item("mine/fast/control", finding(verdict="wrong"), batch_s=0.5),
        item("mine/slow/control", *biased, batch_s=12.5),
        item("mine/slower_elsewhere/control", batch_s=20.0, workload="digits/ragged"),
        item("mine/raised/control", batch_s=None),
    ]
    assert lines(ended, Path("report.html")) == [
        "= scenarios",
        "not as expected: 1",
        "  wrong  val_loss of mine/fast/control@digits/even, expected exact",
        "biased, as expected: 2",
        "  −20 %  val_loss of mine/slow/control@digits/even",
        "   +2 %  val_loss of mine/slow/control@digits/even",
        "slower than the bare loop, a batch: 1",
        "  × 12.50  mine/slow/control@digits/even",
        "report:  report.html",
    ]


def test_a_bias_that_is_not_expected_is_told_once(finding: Callable[..., Finding]) -> None:
    (part,) = parts([item("mine/a/control", finding(verdict="biased", observed=0.4))])
    assert part.title == "not as expected"


def test_of_many_the_gravest_are_shown(finding: Callable[..., Finding]) -> None:
    found = [finding(verdict="biased", expected_verdict="biased", observed=0.5 + share / 100) for share in range(9)]
    told = lines([item("mine/a/control", *found)])
    assert told[2].split()[0] == "+16"
    assert told[6:8] == ["   +8 %  val_loss of mine/a/control@digits/even", "  … and 4 more"]


def test_without_a_bare_loop_it_is_told_how_to_have_one() -> None:
    assert lines([item("mine/a/control")])[1].startswith("slower: not known; ")


@pytest.mark.parametrize("width", [0, 60])
def test_foreign_text_stays_text_and_fits_the_terminal(finding: Callable[..., Finding], width: int) -> None:
    told = lines([item("mine/a/control", finding(aggregate=HOSTILE * 20, verdict="wrong"))], width=width)[2]
    assert told.startswith(r"  wrong  \x1b[2J[red]loss\x1b")
    assert "\x1b" not in told
    assert len(told) <= (width or 400)
