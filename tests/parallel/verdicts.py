"""What a fit is found to have done wrong, by one who saw it from outside and has the sequential reference."""

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

from observing import Observed


@dataclass
class Verdict:
    """Empty where all is as it should be.

    Attributes:
        unknown: epochs that were trained and ended, of which no outcome tells.
        several: epochs with more than one outcome.
        wrong: epochs of which a figure, or the step or the epoch that it is told for, is not the reference's, or that
            are `ok` and have not been told to the logger once, or with other weights.
        training: epochs whose weights, or figures of training, are not the reference's.
        hung: how many fits had to be ended: nothing of them ran any more.
        processes, files: left behind.
    """

    unknown: set[int] = field(default_factory=set)
    several: set[int] = field(default_factory=set)
    wrong: set[int] = field(default_factory=set)
    training: set[int] = field(default_factory=set)
    hung: int = 0
    processes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return any(vars(self).values())

    def __str__(self) -> str:
        return ", ".join(f"{each.name}: {found}" for each in fields(self) if (found := getattr(self, each.name)))


def judge(seen: Observed, reference: Observed) -> Verdict:
    """A fit that was killed owes no outcomes; what it told has to be right all the same."""
    found = Verdict(hung=int(seen.hung), processes=seen.processes, files=seen.files)
    trained, due = dict(seen.all("trained")), dict(reference.all("trained"))
    found.training = {epoch for epoch, weights in trained.items() if weights != due.get(epoch)}
    found.training |= {int(figures["epoch"]) for figures, step in _different(seen, reference, validation=False)}
    found.wrong = {int(figures["epoch"]) for figures, step in _different(seen, reference, validation=True)}
    outcomes: list[dict[str, Any]] = seen.one("outcomes", [])
    count = Counter(outcome["epoch"] for outcome in outcomes)
    found.several = {epoch for epoch, times in count.items() if times > 1}
    if seen.hung or seen.status >= 0:
        found.unknown = set(trained) - set(count)
    logged = {int(figures["epoch"]): figures for figures, _ in _logged(seen, validation=True)}
    for outcome in outcomes:
        epoch = outcome["epoch"]
        told = {name: value for name, value in logged.get(epoch, {}).items() if name != "epoch"}
        if outcome["status"] == "ok":
            if not told or outcome["metrics"] != told or outcome["digest"] != due.get(epoch):
                found.wrong.add(epoch)
        elif told or outcome["metrics"]:
            found.wrong.add(epoch)
    return found


def _logged(seen: Observed, validation: bool) -> list[Any]:
    return [line for line in seen.all("logged") if ("val_loss" in line[0]) == validation]


def _different(seen: Observed, reference: Observed, validation: bool) -> list[Any]:
    """Lines that the reference has not, or that come again, or after those of a later step."""
    mine, its = _logged(seen, validation), _logged(reference, validation)
    return [
        line for number, line in enumerate(mine) if line not in its or any(step >= line[1] for _, step in mine[:number])
    ]
