"""A float64 value with the error that a framework may make on it in its own precision.

The bounds are running error bounds for any order of summation (Higham, *Accuracy and Stability of Numerical
Algorithms*, 2nd ed., 2002, section 4.2): a sum of n terms computed with unit roundoff u differs from the
exact one by at most gamma(n) * sum(abs(terms)), gamma(n) = n u / (1 - n u).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """`value` in float64; `bound` is how far a framework's own figure may lie from it."""

    value: float
    bound: float

    def admits(self, observed: float) -> bool:
        """Whether `observed` equals the value within the bound. NaN and infinities must match exactly."""
        if math.isnan(self.value) or math.isnan(observed):
            return math.isnan(self.value) and math.isnan(observed)
        if math.isinf(self.value) or math.isinf(observed):
            return self.value == observed
        return abs(observed - self.value) <= self.bound


    def shown(self, digits: int) -> "Measured":
        """As read where only so many significant digits are shown: half a unit of the last one may be lost."""
        if digits == 0 or self.value == 0 or not math.isfinite(self.value):
            return self
        unit = 10.0 ** (math.floor(math.log10(abs(self.value))) - digits + 1)
        return Measured(self.value, self.bound + unit / 2)


def gamma(operations: int, u: float) -> float:
    """Higham's gamma(n); infinite where n u >= 1, where no bound exists."""
    nu = operations * u
    return nu / (1 - nu) if nu < 1 else math.inf


def mean(terms: Sequence[float], errors: Sequence[float], u: float) -> Measured:
    """Mean of terms that carry an error each: the error of n additions and one division comes on top."""
    n = len(terms)
    if n == 0:
        return Measured(math.nan, 0.0)
    total = math.fsum(terms)
    size = math.fsum(abs(term) for term in terms)
    carried = math.fsum(errors)
    return Measured(total / n, (carried + gamma(n + 1, u) * (size + carried)) / n)


def weighted_mean(parts: Sequence[Measured], weights: Sequence[int], u: float) -> Measured:
    """Sum of weight * part over the sum of weights (integers, exact): 2 roundings more per part."""
    n = sum(weights)
    if n == 0:
        return Measured(math.nan, 0.0)
    total = math.fsum(weight * part.value for part, weight in zip(parts, weights, strict=True))
    size = math.fsum(abs(weight * part.value) for part, weight in zip(parts, weights, strict=True))
    carried = math.fsum(weight * part.bound for part, weight in zip(parts, weights, strict=True))
    return Measured(total / n, (carried + gamma(len(parts) + 3, u) * (size + carried)) / n)
