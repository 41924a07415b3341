"""What a gap between two groups is made of. Every decomposition adds up to the gap exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Kitagawa:
    """`gap` = `rates` (groups differ within cells) + `mix` (their people lie in different cells); the parts by cell beside."""

    gap: float
    rates: float
    mix: float
    rates_by_cell: Array
    mix_by_cell: Array


def kitagawa(mix_1: ArrayLike, rates_1: ArrayLike, mix_2: ArrayLike, rates_2: ArrayLike) -> Kitagawa:
    """Kitagawa (JASA 50:1168, 1955). `mix`: people or shares by cell; `rates`: by cell, nan where a group has nobody.

    A cell in which a group has nobody has no rate to compare: the other group's stands for it, so its part falls to the mix.
    """
    f1, f2 = (np.asarray(one, float) / np.sum(one) for one in (mix_1, mix_2))
    r1, r2 = np.asarray(rates_1, float), np.asarray(rates_2, float)
    r1, r2 = np.where(f1 > 0, r1, np.where(f2 > 0, r2, 0.0)), np.where(f2 > 0, r2, np.where(f1 > 0, r1, 0.0))
    by_rate, by_mix = (r1 - r2) * (f1 + f2) / 2, (f1 - f2) * (r1 + r2) / 2
    return Kitagawa(float(f1 @ r1 - f2 @ r2), float(by_rate.sum()), float(by_mix.sum()), by_rate, by_mix)


def between_and_within(
    people_1: ArrayLike, events_1: ArrayLike, people_2: ArrayLike, events_2: ArrayLike
) -> Kitagawa:
    """Kitagawa with practices as cells: `mix` is sorting between practices, `rates` differences within them."""
    n1, c1, n2, c2 = (np.asarray(one, float) for one in (people_1, events_1, people_2, events_2))
    rates = [np.divide(c, n, out=np.full(n.shape, np.nan), where=n > 0) for c, n in ((c1, n1), (c2, n2))]
    return kitagawa(n1, rates[0], n2, rates[1])


def eligibility_and_capture(
    share_1: float, capture_1: float, share_2: float, capture_2: float
) -> tuple[float, float, float]:
    """Gap of CCM a beneficiary (eligible share x capture), the part of eligibility, and the part of capture."""
    return (
        share_1 * capture_1 - share_2 * capture_2,
        (share_1 - share_2) * (capture_1 + capture_2) / 2,
        (capture_1 - capture_2) * (share_1 + share_2) / 2,
    )


def funnel(conditional_1: ArrayLike, conditional_2: ArrayLike) -> tuple[Array, Array]:
    """Logs of the ratios of conditional shares by step (they add up to the log of the ratio of the whole way), and each one's
    share of that sum; shares are nan where the groups do not differ. A step of 0 gives -inf or nan."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.asarray(conditional_1, float) / np.asarray(conditional_2, float))
        return logs, logs / logs.sum()


@dataclass(frozen=True)
class Oaxaca:
    """Gap of means of group 1 less group 2. Three-fold: endowments + coefficients + interaction; two-fold: explained +
    unexplained by the coefficients of both groups pooled with an indicator of the group (Jann 2008)."""

    gap: float
    endowments: float
    coefficients: float
    interaction: float
    explained: float
    unexplained: float


def oaxaca(outcome: ArrayLike, covariates: ArrayLike, is_first: ArrayLike) -> Oaxaca:
    """Oaxaca (1973) and Blinder (1973) by statsmodels, least squares with a constant.

    outcome: (n,); covariates: (n, k) without the constant and of full rank within each group; is_first: (n,) boolean. For a 0/1
    outcome this is a linear probability model.
    """
    from statsmodels.stats.oaxaca import OaxacaBlinder

    y, mask = np.asarray(outcome, float), np.asarray(is_first, bool)
    # statsmodels takes the lower value of the indicator as its first group; `swap` would put the higher mean first instead.
    x = np.column_stack([np.asarray(covariates, float), ~mask])
    model = OaxacaBlinder(y, x, x.shape[1] - 1, hasconst=False, swap=False)
    endowments, coefficients, interaction, gap = (float(one) for one in model.three_fold().params)
    unexplained, explained, _ = (float(one) for one in model.two_fold().params)
    return Oaxaca(gap, endowments, coefficients, interaction, explained, unexplained)
