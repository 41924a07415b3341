"""Inequality over an ordering of groups: slope and relative index of inequality, concentration index.

Groups come in order, most deprived last for the slope index and first for the concentration index (as in the World Bank's
"Analyzing Health Equity", 2008); `sizes` are people, `rates` their rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def ridits(sizes: ArrayLike) -> NDArray[np.float64]:
    """Middle of each group's place in the population, 0 to 1."""
    shares = np.asarray(sizes, float) / np.sum(sizes)
    return np.asarray(np.cumsum(shares) - shares / 2)


@dataclass(frozen=True)
class SlopeIndex:
    """`slope`: rate at the deprived end less rate at the other (SII); `relative`: their ratio (RII of Kunst and Mackenbach)."""

    slope: float
    slope_lower: float
    slope_upper: float
    relative: float
    intercept: float


def slope_index(sizes: ArrayLike, rates: ArrayLike, confidence: float = 0.95) -> SlopeIndex:
    """Weighted least squares of the rate on the ridit. With two groups or fewer the interval is nan."""
    n, y, x = np.asarray(sizes, float), np.asarray(rates, float), ridits(sizes)
    design = np.column_stack([np.ones_like(x), x])
    inverse = np.linalg.inv(design.T @ (n[:, None] * design))
    intercept, slope = (float(one) for one in inverse @ design.T @ (n * y))
    freedom = len(x) - 2
    if freedom > 0:
        residual = y - intercept - slope * x
        error = float(np.sqrt((n @ residual**2) / freedom * inverse[1, 1]))
        reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    else:
        reach = float("nan")
    return SlopeIndex(slope, slope - reach, slope + reach, (intercept + slope) / intercept, intercept)


@dataclass(frozen=True)
class ConcentrationIndex:
    """`index`: -1 to 1, negative where the rate is higher at the start of the ordering. The corrections are for 0/1 outcomes."""

    index: float
    std_error: float
    wagstaff: float
    erreygers: float


def concentration_index(sizes: ArrayLike, rates: ArrayLike) -> ConcentrationIndex:
    """C = 2/mean * sum(f y R) - 1; std error by the convenient regression over groups (O'Donnell and others 2008, ch. 8).

    `rates` as proportions 0 to 1 if the corrections of Wagstaff (2005) and Erreygers (2009) are wanted.
    """
    f, y, rank = np.asarray(sizes, float) / np.sum(sizes), np.asarray(rates, float), ridits(sizes)
    mean = float(f @ y)
    index = float(2 / mean * (f @ (y * rank)) - 1)
    spread = float(f @ (rank - f @ rank) ** 2)
    left = 2 * spread * y / mean
    design = np.column_stack([np.ones_like(rank), rank])
    inverse = np.linalg.inv(design.T @ (f[:, None] * design))
    fitted = inverse @ design.T @ (f * left)
    freedom = len(rank) - 2
    residual = left - design @ fitted
    error = float(np.sqrt(f @ residual**2 / freedom * inverse[1, 1])) if freedom > 0 else float("nan")
    return ConcentrationIndex(index, error, index / (1 - mean), 4 * mean * index)
