"""Validation in parallel with training (docs/parallel_validation.md): `ParallelValidation`, a Lightning callback; for
Keras, `harness.parallel.keras.SidecarValidation`."""

from typing import TYPE_CHECKING, Any

from harness.parallel.outcome import Outcome, ValidationFailed

if TYPE_CHECKING:
    from harness.parallel.callback import ParallelValidation

__all__ = ["Outcome", "ParallelValidation", "ValidationFailed"]


def __getattr__(name: str) -> Any:
    """`ParallelValidation` brings Lightning along, which whoever trains with Keras need not have."""
    if name != "ParallelValidation":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness.parallel.callback import ParallelValidation

    return ParallelValidation
