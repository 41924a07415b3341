"""Weights that make comparison people look like the treated before the index month, and how well they do.

Entropy balancing: Hainmueller (2012), Political Analysis 20:25-46, solved by Newton's method on the dual. Standardised mean
differences and variance ratios: Austin (2009), Statistics in Medicine 28:3083-3107. Effective sample size: Kish (1965).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.impact.people import Bools, Floats, Ints, People, Texts

MOST_DIFFERENT = (
    0.10  # absolute standardised difference from which a covariate counts as out of balance (Austin 2009)
)
VARIANCE_RATIOS = (0.5, 2.0)


@dataclass(frozen=True)
class Weights:
    """values: (n,) 1 for the treated, sum over comparison people = number of treated; 0 for whoever is left out.

    converged: whether the moments asked for are met; worst: largest standardised difference left in them.
    """

    values: Floats
    converged: bool
    worst: float

    def effective_size(self, treated: Bools) -> float:
        """Comparison people that unequal weights are worth: (sum w)^2 / sum w^2."""
        w = self.values[~treated]
        return float(w.sum() ** 2 / (w**2).sum()) if (w > 0).any() else 0.0


def entropy_balance(
    moments: Floats, target: Floats, base: Floats, *, iterations: int = 200, tolerance: float = 1e-8
) -> tuple[Floats, bool]:
    """Weights (n,) that sum to 1, have `moments` (n, k) average to `target` (k,) and stay as near to `base` (n,) as they can.

    Also whether they do so within `tolerance` (columns should be of unit scale). A target outside what the people span has no
    solution: the weights of the last step are returned, and False.
    """
    centred = moments - target
    q = base / base.sum()
    dual = np.zeros(centred.shape[1])

    def solve(at: Floats) -> tuple[Floats, float]:
        score = centred @ at
        top = score.max()
        raw = q * np.exp(score - top)
        total = raw.sum()
        return raw / total, float(np.log(total) + top)

    weights, value = solve(dual)
    for _ in range(iterations):
        gradient = weights @ centred
        if np.abs(gradient).max(initial=0.0) < tolerance:
            return weights, True
        hessian = (centred * weights[:, None]).T @ centred - np.outer(gradient, gradient)
        ridge = 1e-10 * max(float(np.trace(hessian)), 1e-12) / len(dual)
        step = np.linalg.lstsq(hessian + ridge * np.eye(len(dual)), -gradient, rcond=None)[0]
        size, slope = 1.0, float(gradient @ step)
        while size > 1e-6:
            fresh, now = solve(dual + size * step)
            if np.isfinite(now) and now <= value + 1e-4 * size * slope:
                break
            size /= 2
        else:
            break
        dual, weights, value = dual + size * step, fresh, now
        if np.abs(dual).max() > 1e4:
            break
    return weights, bool(np.abs(weights @ centred).max(initial=0.0) < 1e-4)


def strata(people: People, kinds: list[str]) -> Ints:
    """(n,) number of the stratum by the named groups; `index_quarter`, `recent_event` and `admissions` are made here."""
    made: dict[str, Texts] = {
        "index_quarter": (people.index_month // 3).astype(str),
        "index_month": people.index_month.astype(str),
        "recent_event": people.recent_event().astype(str),
        "admissions": np.minimum(people.before["acute_admissions"].sum(axis=1), 2).astype(int).astype(str),
    }
    code = np.zeros(people.size, dtype=np.int64)
    for kind in kinds:
        values = made[kind] if kind in made else people.groups[kind]
        _, level = np.unique(values, return_inverse=True)
        code = code * (int(level.max(initial=0)) + 1) + level
    return np.asarray(np.unique(code, return_inverse=True)[1], dtype=np.int64)


def supported(treated: Bools, stratum: Ints) -> Bools:
    """(n,) whoever is in a stratum that holds both treated and comparison people."""
    count = int(stratum.max(initial=-1)) + 1
    both = (np.bincount(stratum[treated], minlength=count) > 0) & (
        np.bincount(stratum[~treated], minlength=count) > 0
    )
    return np.asarray(both[stratum])


def within_strata(treated: Bools, stratum: Ints) -> Floats:
    """(n,) weights that give comparison people the treated's shares of the strata; all strata must be supported."""
    count = int(stratum.max(initial=-1)) + 1
    ones, others = (np.bincount(stratum[arm], minlength=count) for arm in (treated, ~treated))
    factor = np.divide(ones, others, out=np.zeros(count), where=others > 0)
    return np.where(treated, 1.0, factor[stratum])


def balanced(people: People, stratum: Ints, wanted: Mapping[str, Floats]) -> Weights:
    """Exact strata and entropy balancing on the `wanted` covariates. Treated people without comparison in their stratum get 0.

    Where the moments cannot be met together, the strata's shares are given up first; what remains unmet is told by `worst`.
    """
    usable = supported(people.treated, stratum)
    treated, values = people.treated[usable], np.zeros(people.size)
    number = int(treated.sum())
    if not number:
        return Weights(values, False, np.inf)
    base = within_strata(treated, stratum[usable])[~treated]
    raw = np.column_stack([column[usable] for column in wanted.values()])
    scale = raw[treated].std(axis=0)
    scale = np.where(scale > 0, scale, np.maximum(raw.std(axis=0), 1e-12))
    columns = raw / scale
    useful = columns.std(axis=0) > 1e-9
    columns = columns[:, useful]
    target = columns[treated].mean(axis=0)
    shares = _shares(stratum[usable])
    both = np.hstack([columns[~treated], shares[~treated]])
    weights, fine = entropy_balance(both, np.concatenate([target, shares[treated].mean(axis=0)]), base)
    if not fine:
        weights, fine = entropy_balance(columns[~treated], target, base)
    place = np.flatnonzero(usable)
    values[place[treated]] = 1.0
    values[place[~treated]] = weights * number
    left = np.abs(weights @ columns[~treated] - target).max(initial=0.0)
    return Weights(values, fine, float(left))


def _shares(stratum: Ints) -> Floats:
    """Indicators of all strata but the first, in columns of unit scale."""
    count = int(stratum.max(initial=0)) + 1
    return np.asarray((stratum[:, None] == np.arange(1, count)[None, :]).astype(float))


def nearest(people: People, stratum: Ints, wanted: Mapping[str, Floats], matches: int = 3) -> Weights:
    """Matching with replacement: the `matches` nearest comparison people of the stratum by Mahalanobis distance on `wanted`."""
    from sklearn.neighbors import NearestNeighbors

    usable = supported(people.treated, stratum)
    raw = np.column_stack(list(wanted.values()))
    raw = (raw - raw[usable].mean(axis=0)) / np.maximum(raw[usable].std(axis=0), 1e-12)
    covariance = np.cov(raw[usable], rowvar=False) + 1e-6 * np.eye(raw.shape[1])
    turned = raw @ np.linalg.cholesky(np.linalg.inv(covariance))
    values = np.where(people.treated & usable, 1.0, 0.0)
    for one in np.unique(stratum[people.treated & usable]):
        inside = stratum == one
        ours, theirs = np.flatnonzero(inside & people.treated), np.flatnonzero(inside & ~people.treated)
        count = min(matches, len(theirs))
        found = (
            NearestNeighbors(n_neighbors=count)
            .fit(turned[theirs])
            .kneighbors(turned[ours], return_distance=False)
        )
        np.add.at(values, theirs[found.ravel()], 1.0 / count)
    return Weights(values, True, np.nan)


def propensity(people: People, stratum: Ints, wanted: Mapping[str, Floats]) -> Weights:
    """Odds weights of a logistic propensity score on `wanted` and the strata: comparison people weigh p / (1 - p)."""
    from sklearn.linear_model import LogisticRegression

    usable = supported(people.treated, stratum)
    raw = np.column_stack([*wanted.values(), _shares(stratum)])[usable]
    raw = (raw - raw.mean(axis=0)) / np.maximum(raw.std(axis=0), 1e-12)
    treated = people.treated[usable]
    p = LogisticRegression(C=1e4, max_iter=500).fit(raw, treated).predict_proba(raw)[:, 1]
    odds = np.where(treated, 1.0, p / np.clip(1 - p, 1e-6, None))
    odds[~treated] *= treated.sum() / odds[~treated].sum()
    values = np.zeros(people.size)
    values[usable] = odds
    return Weights(values, True, np.nan)


@dataclass(frozen=True)
class Difference:
    """One covariate in both arms; shares and means weighted."""

    treated_mean: float
    comparison_mean: float
    smd: float
    variance_ratio: float
    treated_p95: float
    comparison_p95: float


def difference(values: Floats, treated: Bools, weights: Floats) -> Difference:
    """How a covariate (n,) differs between arms: smd = (m1 - m0) / sqrt((s1^2 + s0^2) / 2), all weighted; nan where constant."""
    arms = []
    for arm in (treated, ~treated):
        x, w = values[arm], weights[arm]
        mean = float(np.average(x, weights=w)) if w.sum() > 0 else np.nan
        variance = float(np.average((x - mean) ** 2, weights=w)) if w.sum() > 0 else np.nan
        arms.append((mean, variance, quantile(x, w, 0.95)))
    (m1, v1, q1), (m0, v0, q0) = arms
    pooled = np.sqrt((v1 + v0) / 2)
    return Difference(
        m1,
        m0,
        (m1 - m0) / pooled if pooled > 0 else np.nan,
        v1 / v0 if v0 > 0 else np.nan,
        q1,
        q0,
    )


def quantile(values: Floats, weights: Floats, at: float) -> float:
    """Weighted quantile: the smallest value whose cumulative weight reaches the share `at`; nan without weight."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    if not len(total) or total[-1] <= 0:
        return np.nan
    return float(values[order][np.searchsorted(total, at * total[-1], side="left")])
