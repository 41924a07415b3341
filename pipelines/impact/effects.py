"""Difference in differences over weighted people, with inference that is clustered on the practice.

With one value a person, the weighted regression of that value on treatment is a difference of weighted means; its cluster-robust
variance is the sum of squared cluster totals of the influence function (Liang and Zeger 1986), with the usual small-sample factor.
Few clusters: wild cluster bootstrap with the null imposed, the interval by inverting the test (Cameron, Gelbach and Miller 2008).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from pipelines.impact.people import Bools, Floats, Ints, People, Texts

ALPHA = 0.05
FEW_CLUSTERS = 40
DRAWS = 999


@dataclass(frozen=True)
class Estimate:
    """An effect with its interval. `influence` is (clusters,) what each of `practices` (sorted) adds to its error."""

    estimate: float
    std_error: float
    lower: float
    upper: float
    p_value: float
    n_treated: int
    n_comparison: int
    clusters: int
    inference: str = "cluster"
    influence: Floats | None = None
    practices: Texts | None = None

    def minimal_detectable(self, power: float = 0.8) -> float:
        """Smallest true effect that a two-sided test at 5 % finds with `power`, at this standard error."""
        return float((stats.norm.ppf(1 - ALPHA / 2) + stats.norm.ppf(power)) * self.std_error)

    def needed_users(self, effect: float, power: float = 0.8) -> float:
        """Treated people needed to find `effect` with `power`, everything else alike; inf for no effect."""
        return self.n_treated * (self.minimal_detectable(power) / effect) ** 2 if effect else np.inf


NOTHING = Estimate(np.nan, np.nan, np.nan, np.nan, np.nan, 0, 0, 0, "none")


def numbered(practice: Texts) -> Ints:
    """(n,) practices as numbers from 0."""
    return np.asarray(np.unique(practice, return_inverse=True)[1], dtype=np.int64)


def interval(estimate: float, error: float, clusters: int) -> tuple[float, float, float]:
    """Lower, upper and p by Student's t with one degree of freedom less than clusters."""
    if not error > 0 or clusters < 2:
        return np.nan, np.nan, np.nan
    reach = stats.t.ppf(1 - ALPHA / 2, clusters - 1) * error
    return estimate - reach, estimate + reach, float(2 * stats.t.sf(abs(estimate / error), clusters - 1))


def influence(values: Floats, treated: Bools, weights: Floats, cluster: Ints) -> tuple[float, Floats]:
    """Difference of the arms' weighted means and what each cluster adds to its error, (clusters,)."""
    total = np.zeros(int(cluster.max(initial=-1)) + 1)
    means = []
    for arm, sign in ((treated, 1.0), (~treated, -1.0)):
        w = weights[arm]
        mean = float(w @ values[arm] / w.sum())
        means.append(mean)
        part = sign * w * (values[arm] - mean) / w.sum()
        total += np.bincount(cluster[arm], part, minlength=len(total))
    return means[0] - means[1], total


def small_sample(clusters: int, people: int) -> float:
    """Factor of the variance: G / (G - 1) x (N - 1) / (N - 2)."""
    return clusters / max(clusters - 1, 1) * (people - 1) / max(people - 2, 1)


def weighted_difference(
    values: Floats,
    treated: Bools,
    weights: Floats,
    practice: Texts,
    *,
    wild: bool | None = None,
    seed: int = 1,
) -> Estimate:
    """Effect of treatment on a value (n,); people with nan or without weight are left out.

    wild: the bootstrap; by default where either arm has weight in fewer than FEW_CLUSTERS practices.
    """
    usable = np.isfinite(values) & (weights > 0)
    values, treated, weights = values[usable], treated[usable], weights[usable]
    if not treated.any() or treated.all():
        return replace(NOTHING, n_treated=int(treated.sum()), n_comparison=int((~treated).sum()))
    names, cluster = np.unique(practice[usable], return_inverse=True)
    estimate, parts = influence(values, treated, weights, cluster)
    count = len(parts)
    error = float(np.sqrt((parts**2).sum() * small_sample(count, len(values))))
    lower, upper, p = interval(estimate, error, count)
    found = Estimate(
        estimate,
        error,
        lower,
        upper,
        p,
        int(treated.sum()),
        int((~treated).sum()),
        count,
        "cluster",
        parts,
        names,
    )
    few = min(len(np.unique(cluster[treated])), len(np.unique(cluster[~treated]))) < FEW_CLUSTERS
    if wild is False or (wild is None and not few) or not error > 0:
        return found
    p, lower, upper = wild_bootstrap(values, treated, weights, cluster, found, seed)
    return replace(found, p_value=p, lower=lower, upper=upper, inference="wild bootstrap")


def wild_bootstrap(
    values: Floats,
    treated: Bools,
    weights: Floats,
    cluster: Ints,
    found: Estimate,
    seed: int,
    draws: int = DRAWS,
) -> tuple[float, float, float]:
    """p of no effect, and the interval of effects that the test does not reject at 5 %.

    Everything hangs on cluster totals, so a test costs clusters x draws, whatever the number of people.
    """
    count = int(cluster.max()) + 1
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, count))
    w1, w0 = np.where(treated, weights, 0.0), np.where(treated, 0.0, weights)
    s1, s0 = (np.bincount(cluster, w, minlength=count) for w in (w1, w0))
    y1, y0 = (np.bincount(cluster, w * values, minlength=count) for w in (w1, w0))
    factor = small_sample(count, len(values))

    def p_of(null: float) -> float:
        middle = (y1.sum() - null * s1.sum() + y0.sum()) / (s1.sum() + s0.sum())
        u1, u0 = y1 - (null + middle) * s1, y0 - middle * s0
        d1, d0 = signs @ u1 / s1.sum(), signs @ u0 / s0.sum()
        scores = (signs * u1 - np.outer(d1, s1)) / s1.sum() - (signs * u0 - np.outer(d0, s0)) / s0.sum()
        errors = np.sqrt((scores**2).sum(axis=1) * factor)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistics = np.abs((d1 - d0) / errors)
        return float(np.mean(statistics >= abs(found.estimate - null) / found.std_error - 1e-12))

    def end(direction: float) -> float:
        inside, outside = found.estimate, found.estimate + direction * 2 * found.std_error
        for _ in range(12):
            if p_of(outside) <= ALPHA:
                break
            outside = found.estimate + (outside - found.estimate) * 2
        else:
            return float(direction * np.inf)
        for _ in range(30):
            half = (inside + outside) / 2
            inside, outside = (half, outside) if p_of(half) > ALPHA else (inside, half)
        return float((inside + outside) / 2)

    return p_of(0.0), end(-1.0), end(1.0)


def change(people: People, outcome: str, window: str = "12_to_1") -> Floats:
    """(n,) mean a month after the index month less that of a baseline window; nan for whoever was not followed."""
    return people.follow_up(outcome) - people.baseline(outcome, window)


def exposure(people: People, weights: Floats) -> Floats:
    """(n,) weights times the share of the follow-up that was observed, so that a person counts by months."""
    return weights * people.followed / people.months_after


def adjusted(values: Floats, treated: Bools, weights: Floats, columns: Floats) -> Floats:
    """(n,) values less what comparison people of these covariates (n, k) would have: weighted least squares on them alone."""
    usable = ~treated & (weights > 0) & np.isfinite(values)
    root = np.sqrt(weights[usable])
    centred = (columns - columns[usable].mean(axis=0)) / np.maximum(columns[usable].std(axis=0), 1e-12)
    design = np.column_stack([np.ones(len(values)), centred])
    found = np.linalg.lstsq(design[usable] * root[:, None], values[usable] * root, rcond=None)[0]
    return np.asarray(values - design @ found)


@dataclass(frozen=True)
class RateRatio:
    """Ratio of the arms' ratios of rates after and before, with its interval on the log scale."""

    ratio: float
    lower: float
    upper: float


def rate_ratio(people: People, outcome: str, weights: Floats, window: str = "12_to_1") -> RateRatio:
    """Multiplicative difference in differences: what Poisson quasi-likelihood with treatment, period and their product gives.

    nan where an arm has no event in a period.
    """
    before, after = people.baseline(outcome, window), people.follow_up(outcome)
    usable = (weights > 0) & np.isfinite(after)
    treated, cluster = people.treated[usable], numbered(people.practice[usable])
    pieces = np.zeros(int(cluster.max(initial=-1)) + 1)
    logs = 0.0
    for values, share, sign in (
        (after, exposure(people, weights), 1.0),
        (before, exposure(people, weights), -1.0),
    ):
        for arm, direction in ((treated, 1.0), (~treated, -1.0)):
            w, y = share[usable][arm], values[usable][arm]
            mean = float(w @ y / w.sum()) if w.sum() > 0 else 0.0
            if mean <= 0:
                return RateRatio(np.nan, np.nan, np.nan)
            logs += sign * direction * np.log(mean)
            part = sign * direction * w * (y - mean) / (w.sum() * mean)
            pieces += np.bincount(cluster[arm], part, minlength=len(pieces))
    error = float(np.sqrt((pieces**2).sum() * small_sample(len(pieces), int(usable.sum()))))
    low, high, _ = interval(logs, error, len(pieces))
    return RateRatio(float(np.exp(logs)), float(np.exp(low)), float(np.exp(high)))


def contrast(one: Estimate, other: Estimate) -> Estimate:
    """Effect in one group less that in another, whose people are apart but may share practices (triple difference)."""
    if one.influence is None or other.influence is None or one.practices is None or other.practices is None:
        return NOTHING
    names = np.union1d(one.practices, other.practices)
    total = np.zeros(len(names))
    total[np.searchsorted(names, one.practices)] += one.influence
    total[np.searchsorted(names, other.practices)] -= other.influence
    value = one.estimate - other.estimate
    people = one.n_treated + one.n_comparison + other.n_treated + other.n_comparison
    error = float(np.sqrt((total**2).sum() * small_sample(len(names), people)))
    lower, upper, p = interval(value, error, len(names))
    return Estimate(
        value, error, lower, upper, p, one.n_treated, one.n_comparison, len(names), "cluster", total, names
    )
