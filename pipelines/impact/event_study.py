"""Effects by quarter around the index month, the joint test of the quarters before it, and how wrong parallel trends may be.

Sensitivity: Rambachan and Roth (2023), Review of Economic Studies 90:2555-2591, as diff-diff's HonestDiD computes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipelines.impact.effects import influence, numbered, small_sample
from pipelines.impact.people import BASELINE, Floats, Ints, People

REFERENCE = -1  # the quarter before the index month


@dataclass(frozen=True)
class EventStudy:
    """quarters: (q,) relative to the index month, REFERENCE left out; effects, errors: (q,); covariance: (q, q)."""

    quarters: Ints
    effects: Floats
    errors: Floats
    covariance: Floats
    clusters: int
    n_treated: int
    n_comparison: int

    @property
    def leads(self) -> np.ndarray:
        return np.asarray(self.quarters < REFERENCE)

    def pre_trend(self) -> tuple[float, float]:
        """Wald statistic over its degrees of freedom that all quarters before the reference are equal to it, and its p (F test)."""
        leads = self.leads
        k = int(leads.sum())
        if not k or self.clusters <= k:
            return np.nan, np.nan
        wald = float(
            self.effects[leads] @ np.linalg.pinv(self.covariance[np.ix_(leads, leads)]) @ self.effects[leads]
        )
        return wald / k, float(stats.f.sf(wald / k, k, self.clusters - 1))

    def band(self, draws: int = 20_000, seed: int = 1) -> float:
        """Critical value of a band that covers all quarters together with 95 %."""
        scale = np.where(self.errors > 0, self.errors, 1.0)
        correlation = self.covariance / np.outer(scale, scale)
        values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
        root = vectors * np.sqrt(np.clip(values, 0, None))
        drawn = np.random.default_rng(seed).standard_normal((draws, len(values))) @ root.T
        return float(np.quantile(np.abs(drawn).max(axis=1), 0.95))

    def average(self) -> tuple[float, float]:
        """Mean of the quarters after the index month and its standard error."""
        after = self.quarters > 0
        share = after / max(after.sum(), 1)
        return float(share @ self.effects), float(np.sqrt(share @ self.covariance @ share))


def quarter_means(people: People, outcome: str) -> tuple[Ints, Floats]:
    """Quarters -4..-1 and 1.. and (n, quarters) means a month over observed months; nan where none was observed."""
    before = people.before[outcome].reshape(people.size, BASELINE // 3, 3).mean(axis=2)
    after = people.after[outcome]
    number = after.shape[1] // 3
    seen = np.clip(people.followed[:, None] - 3 * np.arange(number), 0, 3)
    total = after[:, : 3 * number].reshape(people.size, number, 3).sum(axis=2)
    mean = np.divide(total, seen, out=np.full(total.shape, np.nan), where=seen > 0)
    return np.concatenate([np.arange(-BASELINE // 3, 0), np.arange(1, number + 1)]), np.hstack([before, mean])


def event_study(people: People, outcome: str, weights: Floats) -> EventStudy:
    """Weighted differences of each quarter's change from the reference quarter; people without weight are left out."""
    kept = people.keep(weights > 0)
    weights = weights[weights > 0]
    quarters, means = quarter_means(kept, outcome)
    reference = means[:, quarters == REFERENCE][:, 0]
    cluster = numbered(kept.practice)
    effects, parts, used = [], [], []
    for at, quarter in enumerate(quarters):
        values = means[:, at] - reference
        seen = np.isfinite(values)
        if quarter == REFERENCE or not seen[kept.treated].any() or not seen[~kept.treated].any():
            continue
        value, part = influence(values[seen], kept.treated[seen], weights[seen], cluster[seen])
        effects.append(value)
        parts.append(np.pad(part, (0, int(cluster.max()) + 1 - len(part))))
        used.append(quarter)
    matrix = np.array(parts)
    count = int(cluster.max(initial=-1)) + 1
    covariance = matrix @ matrix.T * small_sample(count, kept.size)
    return EventStudy(
        np.array(used),
        np.array(effects),
        np.sqrt(np.diag(covariance)),
        covariance,
        count,
        int(kept.treated.sum()),
        int((~kept.treated).sum()),
    )


@dataclass(frozen=True)
class Bound:
    """Interval for the mean effect after the index month if trends may differ, after it, by `m` times as much as before it."""

    m: float
    lower: float
    upper: float


def honest(study: EventStudy, sizes: tuple[float, ...] = (0.5, 1.0, 2.0)) -> list[Bound]:
    """Robust intervals under relative magnitudes; empty where there is no quarter before the reference."""
    from diff_diff import HonestDiD, MultiPeriodDiDResults
    from diff_diff.results import PeriodEffect

    if not study.leads.any() or not (study.quarters > 0).any() or not (study.errors > 0).all():
        return []
    # diff-diff counts periods as whole numbers around the reference: quarter 1 is period 0.
    periods = [int(q) if q < 0 else int(q) - 1 for q in study.quarters]
    nothing = (np.nan, np.nan)
    made = MultiPeriodDiDResults(
        period_effects={
            period: PeriodEffect(period, float(effect), float(error), np.nan, np.nan, nothing)
            for period, effect, error in zip(periods, study.effects, study.errors, strict=True)
        },
        avg_att=study.average()[0],
        avg_se=study.average()[1],
        avg_t_stat=np.nan,
        avg_p_value=np.nan,
        avg_conf_int=nothing,
        n_obs=study.n_treated + study.n_comparison,
        n_treated=study.n_treated,
        n_control=study.n_comparison,
        pre_periods=[*(p for p in periods if p < 0), REFERENCE],
        post_periods=[p for p in periods if p >= 0],
        vcov=study.covariance,
        reference_period=REFERENCE,
        interaction_indices={period: at for at, period in enumerate(periods)},
    )
    bounds = []
    for m in sizes:
        found = HonestDiD(method="relative_magnitude", M=m).fit(made)
        bounds.append(Bound(m, float(found.ci_lb), float(found.ci_ub)))
    return bounds
