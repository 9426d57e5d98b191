"""Is a training the same as another one to the last bit: its weights after every epoch, and what the logger is told of
validation, at which step?

Where it is not, there is a reason, and the finding says what the difference is like.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checkers.case import Case
from harness.checkers.reports import epoch_told
from harness.findings import EpochVerdict, Finding
from harness.history.encoding import decode_number
from harness.history.reader import Operation

WEIGHTS = "weights"


@dataclass(frozen=True)
class Told:
    """A figure as the logger was told it."""

    figure: float | str
    step: int | None

    @property
    def words(self) -> str:
        return f"{self.figure} at {'no step' if self.step is None else f'step {self.step}'}"


def check(case: Case) -> list[Finding]:
    """One finding for each figure of validation that a logger is to be told, and one on the weights."""
    if not case.scenario.same_as or not case.completed:
        return []
    figures = [each for each in case.scenario.aggregates if each.stage == "validation" and each.reported_in == "logger"]
    names = [WEIGHTS, *dict.fromkeys(each.name for each in figures if case.environment.meets(each.needs))]
    reason = unusable(case)
    if reason:
        return [case.property_finding("same_as", name, "unknown", message=reason) for name in names]
    assert case.reference is not None
    return [_weights(case, case.reference), *(_figure(case, case.reference, name) for name in names[1:])]


def unusable(case: Case) -> str:
    """Why a trial cannot be compared with what it is to be the same as; empty if it can."""
    id = case.scenario.same_as
    if case.reference is None:
        return f"there is no trial of {id} on {case.trial.workload} to compare it with"
    return "" if case.reference.completed else f"the trial of {id} that it is compared with did not complete"


def same_weights(case: Case, epoch: int) -> bool:
    """Whether, at the end of an epoch, they were those of the reference."""
    assert case.reference is not None
    mine, theirs = _last(case, epoch), _last(case.reference, epoch)
    return mine is not None and theirs is not None and mine.value == theirs.value


def _last(case: Case, epoch: int) -> Operation | None:
    """What was noted of the weights at the end of an epoch: what is noted before training has no stage."""
    return next((each for each in case.told.select("weights", epoch=epoch, stage="train")), None)


def _weights(case: Case, reference: Case) -> Finding:
    epochs = []
    for epoch in range(max(case.planned_epochs, reference.planned_epochs)):
        mine, theirs = _last(case, epoch), _last(reference, epoch)
        same = same_weights(case, epoch)
        digests = [each and ", ".join(f"{value:08x}" for value in each.value.values()) for each in (mine, theirs)]
        message = "" if same else f"at the end of epoch {epoch} their checksums are {digests[0]}, not {digests[1]}"
        lines = (mine.line,) if mine else ()
        epochs.append(EpochVerdict(epoch, "ok" if same else "violated", evidence=lines, message=message))
    return _over(case, WEIGHTS, epochs)


def _figure(case: Case, reference: Case, name: str) -> Finding:
    mine, theirs = _told(case, name), _told(reference, name)
    epochs = []
    for epoch in sorted({*mine, *theirs}):
        got, due = [told for told, _ in mine.get(epoch, [])], [told for told, _ in theirs.get(epoch, [])]
        message = "" if got == due else f"epoch {epoch}: {_words(got)}, not {_words(due)}{_why(case, epoch, got, due)}"
        epochs.append(
            EpochVerdict(
                epoch,
                "ok" if got == due else "violated",
                observed=_number(got),
                prediction=_number(due),
                evidence=tuple(line for _, line in mine.get(epoch, [])),
                message=message,
            )
        )
    if not epochs:
        return case.property_finding("same_as", name, "unknown", message="neither was told it")
    return _over(case, name, epochs)


def _told(case: Case, name: str) -> dict[int, list[tuple[Told, int]]]:
    """By epoch, in order: what was told, and the lines that say so."""
    told: dict[int, list[tuple[Told, int]]] = {}
    for each in case.told.select("logger"):
        epoch = epoch_told(each)
        if epoch is not None and name in each.value["metrics"]:
            told.setdefault(int(epoch), []).append((Told(each.value["metrics"][name], each.value["step"]), each.line))
    return told


def _words(told: Sequence[Told]) -> str:
    return " and ".join(each.words for each in told) or "nothing"


def _number(told: Sequence[Told]) -> float | None:
    try:
        return decode_number(told[-1].figure) if told else None
    except ValueError:
        return None


def _why(case: Case, epoch: int, got: Sequence[Told], due: Sequence[Told]) -> str:
    if not same_weights(case, epoch):
        return "; its weights are not the same"
    if len(got) == len(due) == 1 and got[0].step == due[0].step:
        return "; of the same weights"
    return ""


def _over(case: Case, name: str, epochs: list[EpochVerdict]) -> Finding:
    expect = case.expectation("same_as", name)
    return case.over_epochs("same_as", name, epochs, expect.verdict if expect else "ok")
