"""How the validation of an epoch ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["ok", "failed", "timed out", "skipped"]


@dataclass(frozen=True)
class Outcome:
    """Of one epoch; there is exactly one for every epoch that was to be validated.

    Attributes:
        epoch: counted from 0.
        step: `trainer.global_step` (in Keras, `optimizer.iterations`) when its training ended.
        status: `ok`; `failed`: the validation raised, or its worker died as often as is put up with; `timed out`: it
            took longer than a limit; `skipped`: it was not begun, by policy or because training ended.
        metrics: what `trainer.callback_metrics` has been given, as floats (in Keras, what `evaluate` returned); empty
            unless `ok`.
        reason: in words, why it is not `ok`.
        digest: BLAKE2b of the weights and buffers that were validated, in hexadecimal; empty unless `ok`.
        tries: how often it was begun.
        released: the epoch that training was in when the outcome was told: callbacks and loggers hear of it
            `released - epoch` epochs late.
    """

    epoch: int
    step: int
    status: Status
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    digest: str = ""
    tries: int = 0
    released: int = 0


class ValidationFailed(RuntimeError):  # noqa: N818  # it says what happened
    """An epoch could not be validated, and `on_failure="raise"` was chosen; or the worker could not be started."""
