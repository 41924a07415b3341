"""Direct and indirect standardisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pipelines.disparity.intervals import exact_poisson, mover


class EmptyStratum(ValueError):
    """A stratum of the standard population has no exposure in the group: merge strata before standardising."""


@dataclass(frozen=True)
class Standardised:
    """A standardised rate with its variance and gamma interval, in events per unit of exposure."""

    rate: float
    variance: float
    lower: float
    upper: float


def direct(
    events: ArrayLike, exposure: ArrayLike, standard: ArrayLike, confidence: float = 0.95
) -> Standardised:
    """Directly standardised rate with the gamma interval of Fay and Feuer (Statistics in Medicine 16:791, 1997).

    events, exposure, standard: one number a stratum, of equal length; `standard` is the standard population, weights of any
    scale. Raises EmptyStratum where a stratum with weight has no exposure. The upper bound is finite without events.
    """
    c, n, w = (np.asarray(one, float) for one in (events, exposure, standard))
    w = w / w.sum()
    used = w > 0
    if np.any(n[used] <= 0):
        raise EmptyStratum(f"{int(np.sum(n[used] <= 0))} strata have no exposure")
    each = w[used] / n[used]
    rate, variance = float(each @ c[used]), float(each**2 @ c[used])
    largest = float(each.max())
    tail = (1 - confidence) / 2
    lower = float(stats.gamma.ppf(tail, rate**2 / variance, scale=variance / rate)) if rate > 0 else 0.0
    shifted, widened = rate + largest, variance + largest**2
    upper = float(stats.gamma.isf(tail, shifted**2 / widened, scale=widened / shifted))
    return Standardised(rate, variance, lower, upper)


def ratio(first: Standardised, second: Standardised, confidence: float = 0.95) -> tuple[float, float, float]:
    """Ratio of two standardised rates with its interval, normal on the log scale; nan where a rate is 0."""
    if first.rate == 0 or second.rate == 0:
        return (float("nan"),) * 3
    estimate = first.rate / second.rate
    error = np.sqrt(first.variance / first.rate**2 + second.variance / second.rate**2)
    reach = float(np.exp(stats.norm.ppf((1 + confidence) / 2) * error))
    return estimate, estimate / reach, estimate * reach


def difference(first: Standardised, second: Standardised) -> tuple[float, float, float]:
    """Difference of two standardised rates with its interval by the variances of both (MOVER over their gamma intervals).

    Intervals of both must be of the same confidence.
    """
    lower, upper = mover(first.rate, first.lower, first.upper, second.rate, second.lower, second.upper)
    return first.rate - second.rate, float(lower), float(upper)


def indirect(
    events: float, exposure: ArrayLike, standard_rates: ArrayLike, confidence: float = 0.95
) -> Standardised:
    """Observed over expected events (SMR) with the exact Poisson interval on what was observed."""
    expected = float(np.asarray(exposure, float) @ np.asarray(standard_rates, float))
    lower, upper = exact_poisson(events, expected, confidence)
    return Standardised(events / expected, events / expected**2, float(lower), float(upper))
