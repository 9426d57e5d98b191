"""Is a training the same as another one to the last bit: its weights after every epoch, and what the logger is told of
validation, at which step?

Where it is not, there is a reason, and the finding says which.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checkers.aggregates import truths
from harness.checkers.case import Case
from harness.checkers.reference import same_weights, unusable, weights_after
from harness.checkers.reports import epoch_told
from harness.findings import EpochVerdict, Finding
from harness.history.encoding import decode_number
from harness.history.reader import Operation
from harness.scenario import Aggregate

WEIGHTS = "weights"


@dataclass(frozen=True)
class Told:
    """A figure as the logger was told it, and the line that says so."""

    figure: float | str
    step: int | None
    line: int

    @property
    def words(self) -> str:
        return f"{self.figure} at {'no step' if self.step is None else f'step {self.step}'}"

    @property
    def value(self) -> float | None:
        """None if it is no number."""
        try:
            return decode_number(self.figure)
        except ValueError:
            return None


def check(case: Case) -> list[Finding]:
    """One finding on the weights, and one for each figure of validation that a logger is to be told."""
    if not case.scenario.same_as or not case.completed:
        return []
    figures = [
        each
        for each in case.scenario.aggregates
        if (each.stage, each.reported_in) == ("validation", "logger") and case.environment.meets(each.needs)
    ]
    if reason := unusable(case):
        return [
            case.property_finding("same_as", name, "unknown", message=reason)
            for name in (WEIGHTS, *(each.name for each in figures))
        ]
    assert case.reference is not None
    return [_weights(case, case.reference), *(_figure(case, case.reference, each) for each in figures)]


def _weights(case: Case, reference: Case) -> Finding:
    epochs = []
    for epoch in range(max(case.planned_epochs, reference.planned_epochs)):
        mine, theirs = weights_after(case, epoch), weights_after(reference, epoch)
        same = same_weights(case, epoch)
        message = "" if same else f"after epoch {epoch} their checksums are {_sums(mine)}, not {_sums(theirs)}"
        epochs.append(
            EpochVerdict(epoch, "ok" if same else "violated", evidence=(mine.line,) if mine else (), message=message)
        )
    return _over(case, WEIGHTS, epochs)


def _sums(noted: Operation | None) -> str:
    return " and ".join(f"{value:08x}" for value in noted.value.values()) if noted else "not known"


def _figure(case: Case, reference: Case, aggregate: Aggregate) -> Finding:
    mine, theirs = _told(case, aggregate), _told(reference, aggregate)
    epochs = []
    for epoch in sorted({*mine, *theirs}):
        got, due = mine.get(epoch, []), theirs.get(epoch, [])
        same = [each.words for each in got] == [each.words for each in due]
        message = f"told {_words(got)} of epoch {epoch}, not {_words(due)}{_why(case, aggregate, epoch, got, due)}"
        epochs.append(
            EpochVerdict(
                epoch,
                "ok" if same else "violated",
                observed=got[-1].value if got else None,
                prediction=due[-1].value if due else None,
                evidence=tuple(each.line for each in got),
                message="" if same else message,
            )
        )
    if not epochs:
        return case.property_finding("same_as", aggregate.name, "unknown", message="neither of the two was told it")
    return _over(case, aggregate.name, epochs)


def _told(case: Case, aggregate: Aggregate) -> dict[int, list[Told]]:
    """By epoch, in the order in which it came."""
    told: dict[int, list[Told]] = {}
    for each in case.told.select("logger"):
        epoch, figures = epoch_told(each), each.value["metrics"]
        if epoch is not None and aggregate.name in figures:
            told.setdefault(int(epoch), []).append(Told(figures[aggregate.name], each.value["step"], each.line))
    return told


def _words(told: Sequence[Told]) -> str:
    return " and ".join(each.words for each in told) or "nothing"


def _why(case: Case, aggregate: Aggregate, epoch: int, got: Sequence[Told], due: Sequence[Told]) -> str:
    """Of one figure in another's place."""
    if not same_weights(case, epoch):
        return "; its weights are others"
    if len(got) != 1 or len(due) != 1 or got[0].figure == due[0].figure:
        return ""
    assert case.reference is not None
    truth = truths(case.reference, aggregate).get((epoch, 0))
    if truth is None or got[0].value is None:
        return ""
    if truth.admits(got[0].value):
        return "; both are the truth within its error bound, added up in another order or precision"
    return "; its weights are the same, so that is of other ones, or of other samples, or of another arithmetic"


def _over(case: Case, name: str, epochs: list[EpochVerdict]) -> Finding:
    expect = case.expectation("same_as", name)
    return case.over_epochs("same_as", name, epochs, expect.verdict if expect else "ok")
