"""Intervals of rates and proportions, and of the difference and the ratio of two.

Arguments are counts (numbers or arrays that broadcast); every function returns arrays `(lower, upper)`. Proportions are 0 to 1,
confidence is two-sided. Where nothing was observed (a denominator of 0) the bounds are nan.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]
Interval = tuple[Array, Array]


def _z(confidence: float) -> float:
    return float(stats.norm.ppf((1 + confidence) / 2))


def _divide(top: Any, bottom: Any) -> Array:
    top, bottom = np.broadcast_arrays(np.asarray(top, float), np.asarray(bottom, float))
    return np.divide(top, bottom, out=np.full(bottom.shape, np.nan), where=bottom != 0)


def wilson(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion (Wilson 1927; Newcombe, Statistics in Medicine 17:857, 1998, method 3)."""
    successes, trials = np.asarray(successes, float), np.asarray(trials, float)
    z = _z(confidence)
    share = _divide(successes, trials)
    centre = _divide(2 * successes + z**2, 2 * (trials + z**2))
    half = _divide(z * np.sqrt(z**2 + 4 * np.nan_to_num(share) * (trials - successes)), 2 * (trials + z**2))
    empty = trials == 0
    lower = np.where(successes == 0, 0.0, centre - half)
    upper = np.where(successes == trials, 1.0, centre + half)
    return np.where(empty, np.nan, lower), np.where(empty, np.nan, upper)


def newcombe(a: ArrayLike, n: ArrayLike, b: ArrayLike, m: ArrayLike, confidence: float = 0.95) -> Interval:
    """Hybrid score interval of the difference a/n - b/m (Newcombe, Statistics in Medicine 17:873, 1998, method 10)."""
    first, second = _divide(a, n), _divide(b, m)
    low_1, high_1 = wilson(a, n, confidence)
    low_2, high_2 = wilson(b, m, confidence)
    return mover(first, low_1, high_1, second, low_2, high_2)


def mover(
    first: ArrayLike,
    low_1: ArrayLike,
    high_1: ArrayLike,
    second: ArrayLike,
    low_2: ArrayLike,
    high_2: ArrayLike,
) -> Interval:
    """Interval of first - second from an interval of each, by the variances that they imply (Zou and Donner, Statistics in Medicine
    27:1693, 2008)."""
    x, low_x, high_x, y, low_y, high_y = (
        np.asarray(one, float) for one in (first, low_1, high_1, second, low_2, high_2)
    )
    return x - y - np.hypot(x - low_x, high_y - y), x - y + np.hypot(high_x - x, y - low_y)


def exact_poisson(events: ArrayLike, exposure: ArrayLike = 1.0, confidence: float = 0.95) -> Interval:
    """Exact interval of a rate by the chi-square quantiles (Garwood 1936); in events per unit of `exposure`."""
    events = np.asarray(events, float)
    tail = (1 - confidence) / 2
    lower = np.where(events > 0, stats.chi2.ppf(tail, 2 * np.maximum(events, 0.5)) / 2, 0.0)
    upper = stats.chi2.isf(tail, 2 * (events + 1)) / 2
    return _divide(lower, exposure), _divide(upper, exposure)


def relative_risk(
    a: ArrayLike, n: ArrayLike, b: ArrayLike, m: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Interval of (a/n) / (b/m) for proportions, normal on the log scale (Katz 1978); nan where a or b is 0."""
    return _log_ratio(a, n, b, m, confidence, proportions=True)


def rate_ratio(a: ArrayLike, n: ArrayLike, b: ArrayLike, m: ArrayLike, confidence: float = 0.95) -> Interval:
    """Interval of the ratio of two rates a per n and b per m of exposure, normal on the log scale; nan where a or b is 0."""
    return _log_ratio(a, n, b, m, confidence, proportions=False)


def _log_ratio(
    a: ArrayLike, n: ArrayLike, b: ArrayLike, m: ArrayLike, confidence: float, *, proportions: bool
) -> Interval:
    ratio = _divide(_divide(a, n), _divide(b, m))
    variance = _divide(1, a) + _divide(1, b)
    if proportions:
        variance = variance - _divide(1, n) - _divide(1, m)
    reach = np.exp(_z(confidence) * np.sqrt(np.maximum(variance, 0)))
    ratio = np.where(np.isnan(variance), np.nan, ratio)
    return ratio / reach, ratio * reach
