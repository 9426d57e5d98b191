"""What was seen of one trial in one environment: its findings, and the observables of its history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness import counters
from harness.comparison import observables
from harness.comparison.differences import Key
from harness.comparison.observables import Observed
from harness.findings import EpochVerdict, Finding
from harness.history.reader import History

Figures = Mapping[tuple[int, int], EpochVerdict]  # by epoch and turn


@dataclass(frozen=True)
class Judged:
    """One finding, as far as it can be compared.

    Attributes:
        message: why, where it says so.
        figures: of an aggregate, of every pass of an epoch.
        as_expected: of what a baseline keeps, all is taken to be.
    """

    verdict: str
    message: str
    figures: Figures
    as_expected: bool = True


KEPT_AS_OK = Judged("ok", "", {})


@dataclass(frozen=True)
class Seen:
    """One trial in one environment.

    Attributes:
        findings: by checker, and what it looked at.
        history: None where only digests of its observables were kept.
        kept_digests: those, else nothing.
        counters: exact ones (`harness.counters`).
    """

    key: Key
    findings: Mapping[tuple[str, str], Judged]
    history: History | None
    counters: Mapping[str, int]
    kept_digests: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def observed(self) -> Observed | None:
        """The entries of every observable; None where only their digests were kept."""
        return None if self.history is None else Observed(self.history)

    @property
    def digests(self) -> Mapping[str, str]:
        """Of the observables of which there is something."""
        return self.kept_digests if self.history is None else observables.digests(self.history)

    def changed(self, other: "Seen") -> list[str]:
        """The observables that are not the same on both sides."""
        a, b = self.observed, other.observed
        if a is None or b is None:
            mine, theirs = self.digests, other.digests
            return [name for name in observables.READERS if mine.get(name) != theirs.get(name)]
        return [] if a.of_the_same(b) else [name for name in a if not observables.alike(a[name], b[name])]

    def finding(self, checker: str, name: str) -> Judged | None:
        """What is not kept of a finding was `ok`."""
        return self.findings.get((checker, name), KEPT_AS_OK if self.history is None else None)

    @property
    def failed(self) -> str:
        """Why it did not come to what it was to show, with nothing that was expected to keep it; empty if it did."""
        kept = [each for each in self.findings.values() if each.verdict in ("raised", "unknown")]
        unexpected = [each for each in kept if not each.as_expected]
        return unexpected[0].message or unexpected[0].verdict if unexpected else ""

    @property
    def raised(self) -> str:
        """The exception that ended the trial; empty if none did."""
        entries = self.observed["exceptions"] if self.observed else ()
        ended = [entry.what for entry in entries if entry.what.startswith("trial raises ")]
        return ended[0].removeprefix("trial raises ") if ended else ""


def seen(findings: Sequence[Finding], history: History) -> Seen:
    """Of one trial: its findings, at least one, and its history."""
    first = findings[0]
    return Seen(
        key=Key(first.scenario, first.workload, first.fault, first.placement),
        findings={(each.checker, each.aggregate): judged(each) for each in findings},
        history=history,
        counters=counters.count(history) if history.operations else {},
    )


def judged(finding: Finding) -> Judged:
    figures = {(epoch.epoch, epoch.turn): epoch for epoch in finding.per_epoch}
    return Judged(finding.verdict, finding.message, figures, finding.as_expected)
