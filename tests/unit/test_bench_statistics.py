import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from harness.bench.statistics import fewest, paired, rank_of_limit, sign_choices

# Hamilton depression scale, before minus after (Hollander and Wolfe, table 3.1).
DEPRESSION = [0.952, -0.147, 1.022, 0.430, 0.620, 0.590, 0.490, -0.080, 0.010]


def enumerated(n):
    """Every choice of signs of the ranks 1 to n, and the sum of those with a plus."""
    return [sum(rank for rank, plus in enumerate(signs, 1) if plus) for signs in product((0, 1), repeat=n)]


@pytest.mark.parametrize("n", range(1, 11))
def test_the_distribution_is_that_of_all_choices_of_signs(n):
    sums = enumerated(n)
    assert sign_choices(n) == [sums.count(value) for value in range(n * (n + 1) // 2 + 1)]


@pytest.mark.parametrize(
    ("n", "confidence", "critical"),
    [(5, 0.95, None), (6, 0.95, 0), (10, 0.95, 8), (20, 0.95, 52), (7, 0.99, None), (8, 0.99, 0), (10, 0.99, 3),
     (40, 0.95, 264)],
)  # fmt: skip
def test_the_rank_follows_from_tabulated_critical_values(n, confidence, critical):
    assert rank_of_limit(n, confidence) == (0 if critical is None else critical + 1)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99, 0.999])
def test_one_value_fewer_than_needed_gives_no_limits(confidence):
    needed = fewest(confidence)
    assert 2.0 ** (1 - needed) <= 1 - confidence < 2.0 ** (2 - needed)
    assert math.isinf(paired(range(needed - 1), confidence).high)
    assert math.isfinite(paired(range(needed), confidence).high)


def test_the_estimate_is_the_median_of_the_means_of_pairs():
    assert paired([0.0, 1.0, 5.0], 0.5).value == 1.75  # of 0, 0.5, 1, 2.5, 3, 5


def test_a_published_example():
    found = paired(DEPRESSION, 0.96)
    assert found.value == pytest.approx(0.46)
    assert (found.low, found.high) == pytest.approx((0.01, 0.786))


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_holds_just_the_shifts_that_scipys_test_does_not_reject(seed):
    values = np.random.default_rng(seed).normal(size=12)
    found = paired(values, 0.95)
    step = 1e-9
    for inside, outside in ((found.low + step, found.low - step), (found.high - step, found.high + step)):
        assert stats.wilcoxon(values - inside, method="exact").pvalue > 0.05
        assert stats.wilcoxon(values - outside, method="exact").pvalue <= 0.05


def test_no_difference_is_excluded_no_more_often_than_said():
    sizes = [2.0**power for power in range(10)]
    excluded = sum(
        paired([size * sign for size, sign in zip(sizes, signs, strict=True)], 0.95).excludes_zero
        for signs in product((-1, 1), repeat=10)
    )
    assert excluded == 2 * sum(value <= 8 for value in enumerated(10))
    assert excluded <= 0.05 * 2**10


def test_scaling_and_shifting_the_values_does_so_to_the_estimate():
    plain, moved = paired(DEPRESSION, 0.95), paired([3 - 2 * value for value in DEPRESSION], 0.95)
    assert (moved.value, moved.low, moved.high) == pytest.approx(
        (3 - 2 * plain.value, 3 - 2 * plain.high, 3 - 2 * plain.low)
    )


def test_nothing_to_estimate_from():
    with pytest.raises(ValueError, match="no difference"):
        paired([], 0.95)
