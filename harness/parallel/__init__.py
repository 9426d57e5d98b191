"""Validation in parallel with training: `ParallelValidation`, a Lightning callback (docs/parallel_validation.md)."""

from harness.parallel.callback import ParallelValidation
from harness.parallel.outcome import Outcome, ValidationFailed

__all__ = ["Outcome", "ParallelValidation", "ValidationFailed"]
