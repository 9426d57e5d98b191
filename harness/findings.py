"""A finding: one verdict, what was expected of it, and the history lines that show it."""

from dataclasses import dataclass, field
from typing import Any

from harness.faults.fault import NONE
from harness.history.encoding import decode_number, encode_number
from harness.scenario import CELL_VERDICTS

# From the mildest to the gravest: of several epochs, the gravest verdict stands for the trial.
GRAVITY = ("ok", "exact", "biased", "unknown", "missing", "raised", "violated", "wrong")
DECIDED = frozenset((*GRAVITY, *CELL_VERDICTS)) - {"unknown"}


def in_words(workload: str, fault: str) -> str:
    return workload if fault == NONE else f"{workload} under {fault}"


@dataclass(frozen=True)
class EpochVerdict:
    """What was found in one pass of an epoch; figures are None where there is none.

    Attributes:
        turn: which of the epoch's passes over the stage's batches, counted from 0.
    """

    epoch: int
    verdict: str
    observed: float | None = None
    truth: float | None = None
    prediction: float | None = None
    bound: float | None = None
    evidence: tuple[int, ...] = ()
    message: str = ""
    turn: int = 0


@dataclass(frozen=True)
class Finding:
    """One line of `findings.jsonl`.

    Attributes:
        aggregate: the key of the figure, or the name of the hook or object that the checker looked at.
        observed, truth, prediction, bound: of `epoch`, the first epoch with the gravest verdict.
        evidence: lines of the trial's history, counted from 1.
        per_epoch: every pass that was judged.
    """

    trial: str
    scenario: str
    workload: str
    fault: str
    placement: str
    checker: str
    aggregate: str
    verdict: str
    expected_verdict: str
    as_expected: bool
    message: str = ""
    epoch: int | None = None
    observed: float | None = None
    truth: float | None = None
    prediction: float | None = None
    bound: float | None = None
    evidence: tuple[int, ...] = ()
    per_epoch: tuple[EpochVerdict, ...] = field(default=())

    @property
    def on(self) -> str:
        """The workload, and the fault if there is one, in words."""
        return in_words(self.workload, self.fault)

    @property
    def bias(self) -> float | None:
        """Observed minus truth, where both are known."""
        return None if self.observed is None or self.truth is None else self.observed - self.truth

    def to_json(self) -> dict[str, Any]:
        return {
            "trial": self.trial,
            "scenario": self.scenario,
            "workload": self.workload,
            "fault": self.fault,
            "placement": self.placement,
            "checker": self.checker,
            "aggregate": self.aggregate,
            "verdict": self.verdict,
            "expected_verdict": self.expected_verdict,
            "as_expected": self.as_expected,
            "message": self.message,
            "epoch": self.epoch,
            **_figures(self),
            "bias": _number(self.bias),
            "evidence": list(self.evidence),
            "per_epoch": [
                {
                    "epoch": epoch.epoch,
                    "turn": epoch.turn,
                    "verdict": epoch.verdict,
                    **_figures(epoch),
                    "evidence": list(epoch.evidence),
                    "message": epoch.message,
                }
                for epoch in self.per_epoch
            ],
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Finding":
        kept = {key: value for key, value in data.items() if key != "bias"}
        epochs = tuple(EpochVerdict(**_decoded(epoch)) for epoch in data["per_epoch"])
        return Finding(**{**_decoded(kept), "per_epoch": epochs})


FIGURES = ("observed", "truth", "prediction", "bound")


def _figures(source: Finding | EpochVerdict) -> dict[str, float | str | None]:
    return {name: _number(getattr(source, name)) for name in FIGURES}


def _number(value: float | None) -> float | str | None:
    return None if value is None else encode_number(value)


def _decoded(data: dict[str, Any]) -> dict[str, Any]:
    figures = {name: None if data[name] is None else decode_number(data[name]) for name in FIGURES}
    return {**data, **figures, "evidence": tuple(data["evidence"])}


def gravest(verdicts: list[str]) -> str:
    return max(verdicts, key=GRAVITY.index)
