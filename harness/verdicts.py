"""What the findings of a run come to, counted as they come: of very many trials no run keeps them all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.faults.fault import NONE
from harness.findings import DECIDED, Finding
from harness.scenario import CELL_VERDICTS

FIGURES = "aggregate"
CELLS = "cell"


@dataclass
class Verdicts:
    """Of some trials.

    Attributes:
        every, figures: how often each was found: of all findings, and of aggregates where nothing was to go wrong.
        under_faults: trials in which something was.
        unexpected: findings that are not as expected; `undecided` are `unknown`, and `first` came first.
    """

    trials: int = 0
    under_faults: int = 0
    every: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    unexpected: int = 0
    undecided: int = 0
    first: Finding | None = None
    _cells: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(trials: Iterable[Sequence[Finding]]) -> "Verdicts":
        verdicts = Verdicts()
        for findings in trials:
            verdicts.add(findings)
        return verdicts

    def add(self, findings: Sequence[Finding]) -> None:
        """Those of one trial."""
        self.trials += 1
        self.under_faults += any(finding.fault != NONE for finding in findings)
        self.every.update(finding.verdict for finding in findings)
        self.figures.update(each.verdict for each in findings if each.checker == FIGURES and each.fault == NONE)
        self._cells.update(finding.verdict for finding in findings if finding.checker == CELLS)
        unexpected = [finding for finding in findings if not finding.as_expected]
        self.unexpected += len(unexpected)
        self.undecided += sum(finding.verdict not in DECIDED for finding in unexpected)
        self.first = self.first or next(iter(unexpected), None)

    @property
    def findings(self) -> int:
        return self.every.total()

    @property
    def decided(self) -> int:
        """Of those that are not as expected."""
        return self.unexpected - self.undecided

    @property
    def cells(self) -> dict[str, int]:
        """Verdict → how many hooks under faults; none if none was judged."""
        return {verdict: self._cells[verdict] for verdict in CELL_VERDICTS if self._cells}
