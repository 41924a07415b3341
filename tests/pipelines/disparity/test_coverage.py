"""Intervals hold planted rates and gaps about as often as they say, at the small rates that care management has."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import uptake_gaps
from pipelines.disparity import intervals, standardise
from pipelines.simulate.programme import DISADVANTAGED

TRIALS = 4000
# People and uptake of a group and of the group that it is compared with.
PLANTED = [(2_000, 0.030, 20_000, 0.045), (500, 0.036, 45_000, 0.038), (9_000, 0.020, 11_000, 0.020)]


def covers(bounds: tuple[np.ndarray, np.ndarray], truth: float) -> float:
    lower, upper = bounds
    return float(np.mean((lower <= truth) & (truth <= upper)))


@pytest.mark.parametrize(("n", "p", "m", "q"), PLANTED)
def test_planted_rates_gaps_and_ratios_lie_in_their_intervals_at_the_nominal_rate(
    n: int, p: float, m: int, q: float
) -> None:
    draw = np.random.default_rng(11)
    a, b = draw.binomial(n, p, TRIALS), draw.binomial(m, q, TRIALS)
    assert 0.935 < covers(intervals.wilson(a, n), p) < 0.97
    assert 0.935 < covers(intervals.newcombe(a, n, b, m), p - q) < 0.97
    assert 0.93 < covers(intervals.relative_risk(a, n, b, m), p / q) < 0.975
    # The check can fail: an interval for four times the people is too narrow.
    assert covers(intervals.newcombe(4 * a, 4 * n, 4 * b, 4 * m), p - q) < 0.8


def test_the_gamma_interval_of_a_standardised_rate_is_not_too_narrow() -> None:
    draw = np.random.default_rng(12)
    exposure, rates = np.array([400.0, 900.0, 1_500.0]), np.array([0.02, 0.03, 0.05])
    weights = np.array([3.0, 2.0, 1.0])
    truth = float(weights @ rates / weights.sum())
    found = [standardise.direct(draw.poisson(exposure * rates), exposure, weights) for _ in range(1000)]
    share = np.mean([one.lower <= truth <= one.upper for one in found])
    assert 0.94 < share < 0.99


def test_gaps_that_the_simulator_plants_lie_in_their_intervals_at_the_nominal_rate() -> None:
    """Samples of people of one world with its places and practices; the gap is that of all of them together."""
    rows = uptake_gaps.measured(samples=120, people=1500)
    assert {row.group for row in rows} == set(DISADVANTAGED)
    for row in rows:
        assert row.of_difference >= 0.89, row
        assert row.of_ratio >= 0.89, row
    assert 0.93 <= np.mean([row.of_difference for row in rows]) <= 0.98
    assert 0.93 <= np.mean([row.of_ratio for row in rows]) <= 0.985


def test_planted_ratios_lower_uptake_and_their_absence_is_told_apart() -> None:
    """The same draws without planted ratios: every group is reached more often, and its gap lies outside the planted one's intervals
    far more often than by chance."""
    planted = uptake_gaps.sampled(40, 3000)
    without = uptake_gaps.sampled(40, 3000, dict.fromkeys(DISADVANTAGED, 1.0))
    missed = []
    for group in DISADVANTAGED:
        a, n, b, m = planted[group].T
        c, d, e, f = without[group].sum(axis=0)
        assert a.sum() < c
        low, high = intervals.newcombe(a, n, b, m)
        missed.append(np.mean((c / d - e / f < low) | (c / d - e / f > high)))
    assert np.mean(missed) > 0.15
