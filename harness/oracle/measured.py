"""A float64 value with the error that a framework may make on it in its own precision.

The bounds are worst-case, for any order of summation (Higham, *Accuracy and Stability of Numerical
Algorithms*, 2nd ed., 2002, sections 3.1 and 4.2): a sum of n terms computed with unit roundoff u differs from
the exact one by at most gamma(n) * sum(abs(terms)), gamma(n) = n u / (1 - n u). They hold where nothing
overflows in the framework's precision: a figure that does is not the true one.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FLOAT64 = 2.0**-53
FLOAT32 = 2.0**-24
FLOAT16 = 2.0**-11
BFLOAT16 = 2.0**-8


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


def accumulation(u: float) -> float:
    """The unit roundoff of a sum over samples: float32's at most, with room for the reference's own error.

    torch's sums, torchmetrics and Lightning add up float16 and bfloat16 in float32 and round the result. A figure
    that was accumulated in less than that is not admitted: it is one of the defects to be found.
    """
    return min(u, FLOAT32 + FLOAT64)


def underflow(u: float) -> float:
    """How much one operation may lose when its result is too small for the precision: the smallest subnormal
    of float16, the smallest normal number of float32 (and bfloat16), which may be flushed to zero."""
    return 2.0**-24 if FLOAT16 <= u < 2 * FLOAT16 else 2.0**-126


def total(terms: Iterable[float]) -> float:
    """`math.fsum`, and where that raises (infinities of both signs, overflow) what plain addition gives."""
    terms = list(terms)
    try:
        return math.fsum(terms)
    except (ValueError, OverflowError):
        return sum(terms)


def mean(terms: Sequence[float], errors: Sequence[float], u: float) -> Measured:
    """Mean of terms that carry an error each, however they are spread over batches; NaN of none.

    A term of a batch of k, one of B batches, is rounded at most k - 1 times in the batch's sum, twice in its
    mean (a product with 1/k), once by its weight, B - 1 times in the sum of batches and once in the division;
    and a figure that is logged as a mean is multiplied and divided by a batch size once more: k + B + 4
    roundings, at most n + 5, since k + B <= n + 1. Where batches are kept in a precision below that of the
    sums, the batch's mean and the result are rounded to it.
    """
    n = len(terms)
    if n == 0:
        return Measured(math.nan, 0.0)
    value = total(terms) / n
    if not math.isfinite(value):
        return Measured(value, 0.0)
    size = total(abs(term) for term in terms)
    carried = total(errors)
    rounded = (gamma(n + 5, accumulation(u)) + 2 * u) * (size + carried)
    return Measured(value, (carried + rounded) / n + underflow(u))


def weighted_mean(parts: Sequence[Measured], weights: Sequence[int], u: float) -> Measured:
    """Sum of weight * part over the sum of weights (integers, exact); NaN if they are all 0.

    A part is rounded once by its weight, len(parts) - 1 times in the sum, once in the division, and twice
    more if the result is logged as a mean.
    """
    n = sum(weights)
    if n == 0:
        return Measured(math.nan, 0.0)
    weighted = list(zip(weights, parts, strict=True))
    value = total(weight * part.value for weight, part in weighted) / n
    if not math.isfinite(value):
        return Measured(value, 0.0)
    size = total(abs(weight * part.value) for weight, part in weighted)
    carried = total(weight * part.bound for weight, part in weighted)
    rounded = gamma(len(parts) + 3, accumulation(u)) * (size + carried)
    return Measured(value, (carried + rounded) / n + underflow(u))


def root(square: Measured, u: float) -> Measured:
    """Square root, correctly rounded (IEEE 754 asks for it).

    abs(sqrt(s') - sqrt(s)) = abs(s' - s) / (sqrt(s') + sqrt(s)), largest for s' = s - bound, or 0 if the
    bound exceeds s.
    """
    if not square.value > 0 or math.isinf(square.value):
        return Measured(math.sqrt(square.value), math.sqrt(square.bound))
    value = math.sqrt(square.value)
    lowest = math.sqrt(max(square.value - square.bound, 0.0))
    carried = square.bound / (value + lowest)
    return Measured(value, carried + 2 * u * (value + carried))
