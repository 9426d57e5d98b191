"""What a run, a comparison and a bench say when they end, on a terminal and elsewhere."""

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from harness.bench.costs import Cost, Counter, Memory, Pair
from harness.bench.strategies import BARE, Bench
from harness.bench.strategies import Request as BenchRequest
from harness.comparison.differences import Difference, Key
from harness.comparison.result import Comparison, Side
from harness.findings import Finding
from harness.run import Result
from harness.run_directory import RunDirectory
from harness.summary import grouped, print_bench, print_comparison, print_run
from harness.verdicts import Verdicts

HOSTILE = "\x1b[31m[red]loss[/red]\x1b]0;title\x07 \u202eback :warning:\nnext"
AS_TEXT = r"\x1b[31m[red]loss[/red]\x1b]0;title\x07 \u202eback :warning: next"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def ended(make_run: Callable[..., RunDirectory]) -> Callable[..., Any]:
    """A run that ended with these findings."""

    def make(findings: Sequence[Finding], **changes: Any) -> Any:
        verdicts = Verdicts.of([findings])
        made = make_run(findings)
        given = {"decisions": (), "unavailable": (), "interrupted": False, **changes}
        return Result(made, verdicts, **given)

    return make


def told(print_it: Callable[..., None], *arguments: Any, width: int = 0) -> str:
    """What is printed on a terminal so wide; or, of no width, in a pipe."""
    file = io.StringIO()
    console = (
        Console(file=file, force_terminal=True, width=width, color_system="standard") if width else Console(file=file)
    )
    print_it(*arguments, console)
    return file.getvalue()


@pytest.fixture
def biased(finding: Callable[..., Finding]) -> list[Finding]:
    """Of two documents; the grosser bias is in the second figure, of a pattern of its own."""
    return [
        finding(),
        finding(scenario="averaging/sums/control", verdict="biased", expected_verdict="biased", observed=0.4),
        finding(verdict="biased", expected_verdict="biased", observed=0.55),
        finding(scenario="hooks/end/migrated"),
        finding(scenario="hooks/end/migrated", fault="step.raise", checker="cell", verdict="silent",
                expected_verdict="silent"),
    ]  # fmt: skip


def test_in_a_pipe_each_document_has_a_line(ended: Callable[..., Any], biased: list[Finding]) -> None:
    result = ended(biased)
    assert told(print_run, result).splitlines() == [
        "figures: 2 biased, 2 exact",
        "faults:  1 trials, 1 cells: 0 fired, 1 silent, 0 stale",
        "of averaging: 1 exact, 2 biased; largest bias −20 %, val_loss of averaging/sums/control on digits/even",
        "of hooks: 1 exact; hooks under faults 1 silent",
        "every finding is as expected",
        f"report:  {result.directory.path / 'report.html'}",
    ]


def test_one_document_is_told_pattern_by_pattern(biased: list[Finding]) -> None:
    assert [group.name for group in grouped(biased[:3])] == ["averaging/manual", "averaging/sums"]


def test_a_wide_terminal_shows_where_the_largest_bias_is(ended: Callable[..., Any], biased: list[Finding]) -> None:
    lines = COLOURS.sub("", told(print_run, ended(biased), width=120)).splitlines()
    row = next(line for line in lines if line.startswith("averaging"))
    assert row.split() == [
        "averaging", "1", "2", "·", "−20", "%", "val_loss", "of", "averaging/sums/control", "on", "digits/even",
    ]  # fmt: skip


def test_a_table_keeps_its_numbers_on_a_narrow_terminal(ended: Callable[..., Any], biased: list[Finding]) -> None:
    lines = COLOURS.sub("", told(print_run, ended(biased), width=60)).splitlines()
    table = [line for line in lines if "  · " in line or "───" in line]
    assert table
    assert max(map(len, table)) <= 60
    assert any(line.split() == ["averaging", "1", "2", "·", "−20", "%"] for line in table)


def test_a_table_for_which_there_is_no_room_is_told_in_lines(ended: Callable[..., Any], biased: list[Finding]) -> None:
    printed = told(print_run, ended(biased), width=30)
    assert "───" not in printed
    assert "of hooks: 1 exact" in printed


def test_what_failed_first_is_told_in_a_line_that_is_cut(
    ended: Callable[..., Any], finding: Callable[..., Finding]
) -> None:
    failed = finding(verdict="wrong", message="x" * 1000)
    lines = told(print_run, ended([failed, finding(verdict="raised")])).splitlines()
    (first,) = [line for line in lines if line.startswith("first: ")]
    assert first.startswith("first:   averaging/manual/migrated@digits/even: val_loss is wrong, expected exact (xxx")
    assert first.endswith("x…")
    assert len(first) <= 400
    assert "2 findings are not as expected" in lines


@pytest.mark.parametrize("width", [0, 60, 200])
def test_foreign_text_stays_text(ended: Callable[..., Any], finding: Callable[..., Finding], width: int) -> None:
    failed = finding(aggregate=HOSTILE, message=HOSTILE, verdict="biased", observed=0.4)
    printed = COLOURS.sub("", told(print_run, ended([failed]), width=width))
    assert "\x1b" not in printed
    assert f"migrated@digits/even: {AS_TEXT} is biased, expected exact ({AS_TEXT})\n" in printed


@pytest.mark.parametrize(("settings", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_colours_are_for_who_wants_them(
    ended: Callable[..., Any], biased: list[Finding], monkeypatch: pytest.MonkeyPatch, settings: dict[str, str],
    coloured: bool,
) -> None:  # fmt: skip
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", told(print_run, ended(biased)))) == coloured


def test_no_color_has_the_last_word(
    ended: Callable[..., Any], biased: list[Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("TERM", "xterm")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", told(print_run, ended(biased)))


def test_a_path_is_told_as_it_is(ended: Callable[..., Any], biased: list[Finding]) -> None:
    result = SimpleNamespace(**vars(ended(biased)), exit_code=0)
    result.directory = SimpleNamespace(path=Path("two  spaces") / ("x" * 500), read_findings=list)
    assert told(print_run, result).endswith(f"report:  two  spaces/{'x' * 500}/report.html\n")


@pytest.fixture
def comparison() -> Comparison:
    keys = [Key(f"averaging/{name}/migrated", "digits/even", "none", "cpu") for name in "ab"]
    differences = [
        Difference(key, kind, "warnings", f"a warning: {HOSTILE}", "1", "2")
        for key in keys
        for kind in ("breaks", "warns")
    ]
    sides = [Side(label, "torch 2.6", "complete") for label in ("1.9.5", "2.6.6")]
    return Comparison(
        *sides, compared=3, differences=(*differences, Difference(keys[0], "breaks", "hooks", "w", "", ""))
    )


def test_a_comparison_counts_the_trials_that_differ(comparison: Comparison) -> None:
    lines = told(print_comparison, comparison, Path("out/compare.md")).splitlines()
    assert lines[-3:] == [
        "of averaging: 2 × breaks, 2 × warns",
        "Regressions: 2 × breaks; 3 trials compared, 2 of them differ",
        "report:  out/compare.md",
    ]
    assert not any("\x1b" in line for line in lines)


def test_a_comparison_is_a_table_on_a_terminal(comparison: Comparison) -> None:
    lines = COLOURS.sub("", told(print_comparison, comparison, None, width=60)).splitlines()
    assert ["averaging", "2", "2"] in [line.split() for line in lines]
    assert not any("\x1b" in line for line in lines)


@pytest.fixture
def bench() -> Bench:
    def cost(scenario: str, calls: int, seconds: float) -> Cost:
        memory = [
            Memory(
                batches, dict.fromkeys(("live_bytes", "held_bytes", "held_values", "objects"), calls * batches), {}, 0
            )
            for batches in (2, 4)
        ]
        for each in memory:
            object.__setattr__(each, "retained", each.peak)
        counters = {name: Counter(calls, calls, calls) for name in ("python_calls", "operations", "host_syncs")}
        return Cost(scenario, "torch", counters, memory, [], [Pair([1.0], [seconds], True)])

    costs = [cost(BARE["torch"], 10, 1.0), cost("mine/cheap/control", 10, 1.5), cost("mine/dear/control", 1300, 3.0)]
    return Bench(BenchRequest(), costs={each.scenario: each for each in costs})


def test_a_bench_tells_the_dearest_first(bench: Bench) -> None:
    assert told(print_bench, bench, Path("out")).splitlines() == [
        "of mine/dear/control: time × 3.00, Python calls a step +1,290, host syncs a step +1,290, memory O(n)",
        "of mine/cheap/control: time × 1.50, Python calls a step 0, host syncs a step 0, memory O(1)",
        "report:  out/bench.md",
    ]


def test_a_bench_is_a_table_on_a_terminal(bench: Bench) -> None:
    lines = COLOURS.sub("", told(print_bench, bench, None, width=60)).splitlines()
    rows = [line.split() for line in lines if line.startswith("mine/")]
    assert [row[1:] for row in rows] == [["×", "3.00", "+1,290", "+1,290", "O(n)"], ["×", "1.50", "0", "0", "O(1)"]]
