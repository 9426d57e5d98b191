"""What is told while a run goes on."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from harness.findings import Finding
from harness.progress import ConsoleProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def follow(console: Console, trials: int, unexpected: list[Finding]) -> None:
    with ConsoleProgress(console) as progress:
        progress.planned("torch 2.6", trials, 0)
        for number in range(trials):
            progress.judged(str(number), unexpected if number == 0 else [])


def test_a_pipe_has_a_line_for_each_tenth_and_for_what_is_unexpected(finding: Callable[..., Finding]) -> None:
    file = io.StringIO()
    follow(Console(file=file), 20, [finding(verdict="wrong", message="\x1b[2J[red]no[/red]")])
    assert file.getvalue().splitlines() == [
        "torch 2.6",
        "20 trials",
        "unexpected: averaging/manual/migrated@digits/even: val_loss is wrong, expected exact "
        r"(\x1b[2J[red]no[/red])",
        *(f"{done} of 20 trials" for done in range(2, 21, 2)),
    ]


def test_colours_in_a_pipe_bring_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    file = io.StringIO()
    follow(Console(file=file), 2, [])
    assert file.getvalue().splitlines() == ["torch 2.6", "2 trials", "1 of 2 trials", "2 of 2 trials"]


def test_a_terminal_has_a_bar_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    file = Terminal()
    follow(Console(file=file, width=60), 20, [])
    assert "0/20" in file.getvalue()
    assert "left" in file.getvalue()
    assert "2 of 20 trials" not in file.getvalue()
