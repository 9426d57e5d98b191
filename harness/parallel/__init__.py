"""Validation in parallel with training (docs/parallel_validation.md): `ParallelValidation`, a Lightning callback; for
Keras, `harness.parallel.keras.SidecarValidation`."""

from typing import TYPE_CHECKING, Any

from harness.parallel.outcome import Outcome, ValidationFailed
from harness.parallel.supervisor import Death

if TYPE_CHECKING:
    from harness.parallel.callback import ParallelValidation
    from harness.parallel.refusals import CannotValidateInParallel

__all__ = ["CannotValidateInParallel", "Death", "Outcome", "ParallelValidation", "ValidationFailed"]


def __getattr__(name: str) -> Any:
    """What brings Lightning along, which whoever trains with Keras need not have."""
    if name == "ParallelValidation":
        from harness.parallel.callback import ParallelValidation

        return ParallelValidation
    if name == "CannotValidateInParallel":
        from harness.parallel.refusals import CannotValidateInParallel

        return CannotValidateInParallel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
