"""Tells how a run goes: a bar with the time left on a terminal, plain lines elsewhere."""

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from harness.findings import Finding
from harness.terminal import live, say


def in_a_line(finding: Finding) -> str:
    """One that is not as expected."""
    return (
        f"{finding.scenario}@{finding.on}: {finding.aggregate} is {finding.verdict}, "
        f"expected {finding.expected_verdict}" + (f" ({finding.message})" if finding.message else "")
    )


class ConsoleProgress:
    """Use as a context manager around a run. Lines stay short; a log of thousands of trials stays readable,
    because off a terminal only every tenth part of the run and what is unexpected gets a line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = live(console)
        self._bar = Bar(
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            disable=not self._live,
            transient=True,
            expand=True,
            # Trials come in bursts, long ones at times alone.
            speed_estimate_period=300,
        )
        self._task: TaskID | None = None
        self._total = 0
        self._done = 0

    def __enter__(self) -> "ConsoleProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def planned(self, environment: str, trials: int, unavailable: int) -> None:
        self._total = trials
        self._say(environment)
        self._say(f"{trials} trials" + (f", and {unavailable} that cannot run here" if unavailable else ""))
        self._task = self._bar.add_task("trials", total=trials)

    def judged(self, trial: str, unexpected: Sequence[Finding]) -> None:
        self._done += 1
        if self._task is not None:
            self._bar.advance(self._task)
        for finding in unexpected:
            self._say(f"unexpected: {in_a_line(finding)}")
        tenth = max(1, self._total // 10)
        if not self._live and (self._done % tenth == 0 or self._done == self._total):
            self._say(f"{self._done} of {self._total} trials")

    def _say(self, line: str) -> None:
        say(self._console, line)


class Quiet:
    """A run's progress, not told."""

    def planned(self, environment: str, trials: int, unavailable: int) -> None:
        pass

    def judged(self, trial: str, unexpected: Sequence[Finding]) -> None:
        pass
