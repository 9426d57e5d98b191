"""Paired comparison without assumptions on the noise: Hodges–Lehmann, and the exact signed-rank interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median


@dataclass(frozen=True)
class Estimate:
    """A location with its confidence interval; without enough values the limits are infinite."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def paired(differences: Sequence[float], confidence: float) -> Estimate:
    """Where differences lie, if each is drawn from a distribution that is symmetric about the same place.

    The estimate is the median of the means of all pairs of values, each with itself too (Hodges and Lehmann,
    1963). The interval holds every shift that Wilcoxon's signed-rank test would not reject at 1 − confidence:
    from the k-th smallest to the k-th largest of those means, k as in `rank_of_limit` (Hollander, Wolfe and
    Chicken, Nonparametric Statistical Methods, 3.3). It holds the true place at least that often.

    Raises:
        ValueError: no differences.
    """
    means = sorted((first + second) / 2 for index, first in enumerate(differences) for second in differences[index:])
    if not means:
        raise ValueError("there is no difference to estimate from")
    rank = rank_of_limit(len(differences), confidence)
    low, high = (means[rank - 1], means[-rank]) if rank else (-math.inf, math.inf)
    return Estimate(median(means), low, high)


@cache
def rank_of_limit(n: int, confidence: float) -> int:
    """The largest k with P(signed-rank statistic of n values < k) ≤ (1 − confidence) / 2; 0 if there is none."""
    allowed = (1 - confidence) / 2 * 2**n
    below, rank = 0, 0
    for ways in sign_choices(n):
        below += ways
        if below > allowed:
            break
        rank += 1
    return rank


def sign_choices(n: int) -> list[int]:
    """In how many of the 2**n choices of signs the ranks with a plus add up to 0, 1, …, n(n+1)/2."""
    ways = [1]
    for rank in range(1, n + 1):
        shifted = [0] * rank + ways
        ways = [taken + left for taken, left in zip(shifted, ways + [0] * rank, strict=True)]
    return ways


def fewest(confidence: float) -> int:
    """How many differences the interval needs to have limits: 2**(1−n) ≤ 1 − confidence."""
    return next(n for n in range(1, 64) if rank_of_limit(n, confidence))
