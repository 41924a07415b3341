"""p-values of many comparisons."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values (q) that control the false discovery rate; nan stays nan and is no member of the family."""
    p = np.asarray(p_values, float)
    adjusted = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    if known.any():
        adjusted[known] = stats.false_discovery_control(p[known], method="bh")
    return adjusted


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values that control the chance of any false finding (Holm 1979); nan stays nan."""
    p = np.asarray(p_values, float)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def difference_p_value(a: ArrayLike, n: ArrayLike, b: ArrayLike, m: ArrayLike) -> NDArray[np.float64]:
    """Two-sided p-value that two proportions a/n and b/m are equal (pooled score test); nan where it cannot be asked."""
    a, n, b, m = (np.asarray(one, float) for one in (a, n, b, m))
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (a + b) / (n + m)
        z = (a / n - b / m) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return np.asarray(2 * stats.norm.sf(np.abs(z)))
