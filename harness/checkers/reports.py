"""What a user reads as the figure of a pass, at the place where the aggregate says that it is read."""

from dataclasses import dataclass
from difflib import get_close_matches

from harness.checkers.case import Case
from harness.checkers.place import before
from harness.checkers.turns import Pass
from harness.history.encoding import decode_number
from harness.history.reader import Operation
from harness.oracle.loops import Event
from harness.scenario import Aggregate

SHOWN = 8


@dataclass(frozen=True)
class Report:
    """A figure as it was reported, and the history line that says so.

    Attributes:
        told: a number as a history holds it, or what there was instead of one (`tensor of shape (3,)`).
    """

    told: float | str
    line: int

    @property
    def value(self) -> float | None:
        """None if it is no number."""
        try:
            return decode_number(self.told)
        except ValueError:
            return None


def reports_of(case: Case, aggregate: Aggregate, of: Pass) -> list[Report]:
    """What a user reads as the figure of a pass."""
    reports = [
        Report(figures[aggregate.name], operation.line)
        for operation, figures in _told(case, aggregate, of)
        if aggregate.name in figures
    ]
    return reports if aggregate.reported_in == "logger" else reports[-1:]


def _told(case: Case, aggregate: Aggregate, of: Pass) -> list[tuple[Operation, dict[str, float | str]]]:
    """All figures of a pass by name, as often as they were told, at the place where the aggregate is read."""
    epoch, _ = of
    if aggregate.reported_in == "logger":
        told = [(each, each.value["metrics"]) for each in case.told.select("logger") if epoch_told(each) == epoch]
    else:
        told = [
            (each, each.value) for each in case.told.select(aggregate.reported_in, stage=aggregate.stage, epoch=epoch)
        ]
    return [(each, figures) for each, figures in told if case.turns.of(each, aggregate.stage, epoch) == of]


def told_at_the_end(case: Case, aggregate: Aggregate, event: Event) -> tuple[str, list[int]]:
    """What callbacks are told as a figure in a hook that ends an epoch that saw nothing of it: in words where it comes
    from, and the lines that say so; nothing if they are told none."""
    place = "logger" if case.trial.framework == "keras" else "callback_metrics"
    told: dict[int | None, tuple[float | str, int]] = {}
    for each in case.told.select(place):
        figures = each.value["metrics"] if place == "logger" else each.value
        if aggregate.name in figures and each.stage in (event.stage, None):
            told[each.epoch] = figures[aggregate.name], each.line
    if event.epoch not in told:
        return "", []
    figure, line = told.pop(event.epoch)
    for epoch, (other, earlier) in told.items():
        if other == figure:
            return f"{aggregate.name} of epoch {epoch}", [earlier, line]
    return f"{aggregate.name} {figure}, of no batch", [line]


def epoch_told(operation: Operation) -> int | None:
    """Who calls a logger need not say which epoch it is: then it is the one that the call is in."""
    if operation.stage == "sanity":
        return None
    told = operation.value["epoch"]
    return operation.epoch if told is None else told


def undeclared(case: Case, aggregate: Aggregate, of: Pass) -> str:
    """In words, the names that did arrive and that nobody declares: a figure that is missing may be one of them."""
    declared = {each.name for each in case.scenario.aggregates}
    arrived: dict[str, Operation] = {}
    for operation, figures in _told(case, aggregate, of):
        for name in figures.keys() - declared:
            arrived.setdefault(name, operation)
    closest = get_close_matches(aggregate.name, sorted(arrived), n=SHOWN, cutoff=0.0)
    by_place: dict[str, list[str]] = {}
    for name in closest:
        place = before(case.told, _logged(case, name, arrived[name]))
        by_place.setdefault(place.words, []).append(repr(name))
    told = ", ".join(f"{', '.join(names)} ({words})" for words, names in by_place.items())
    return told and f"; what arrived and no aggregate declares: {told}"


def _logged(case: Case, name: str, told: Operation) -> int:
    """The line at which the module logged what was told; `self.log` adds to the name if it reports twice."""
    names = (name, name.removesuffix("_epoch"), name.removesuffix("_step"))
    logs = case.told.select("log", epoch=told.epoch)
    return next((each.line for each in logs if each.value["name"] in names and each.stage != "sanity"), told.line)
