"""The designs that a study may use or must see fail: who is compared, by which weights, against which baseline.

`impact_validation.json` under benchmarks/results holds what each does on populations with known truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.impact import balance
from pipelines.impact.effects import Estimate, adjusted, change, exposure, interval, weighted_difference
from pipelines.impact.people import Bools, Floats, People, covariates

DEMOGRAPHIC = ("sex", "age_band", "race_ethnicity", "entitlement", "state")


@dataclass(frozen=True)
class Design:
    """pool: never_adopting, adopting or any; method: none, entropy, nearest or propensity; sees: the part of the baseline that
    weights may see (`people.covariates`); baseline: the window that the difference is taken from, none for a cross-section.
    """

    says: str
    pool: str = "never_adopting"
    method: str = "entropy"
    sees: str = "full"
    baseline: str | None = "12_to_1"
    exact: tuple[str, ...] = ("index_quarter", "dual_status", "recent_event", "admissions")
    standing: str = "sensitivity"


DESIGNS: dict[str, Design] = {
    "A": Design("users before and after", method="none", exact=(), standing="fails"),
    "B": Design(
        "users against eligible non-users, after only",
        pool="any",
        method="none",
        baseline=None,
        exact=(),
        standing="fails",
    ),
    "C": Design("unmatched, any pool", pool="any", method="none", exact=(), standing="fails"),
    "C2": Design("unmatched, never-adopting practices", method="none", exact=(), standing="fails"),
    "D": Design(
        "balanced on the last 3 months only, against them", sees="recent", baseline="3_to_1", standing="fails"
    ),
    "E": Design(
        "matched on logarithms of spending, adopting practices",
        pool="adopting",
        method="nearest",
        exact=("recent_event", "admissions"),
        standing="fails",
    ),
    "F": Design(
        "matched on logarithms of spending, never-adopting practices",
        method="nearest",
        exact=("recent_event", "admissions"),
        standing="fails",
    ),
    "G": Design(
        "entropy balance on months -12 to -7 only, against them",
        sees="early",
        baseline="12_to_7",
        exact=("index_quarter", "dual_status"),
        standing="candidate",
    ),
    "H": Design("entropy balance on dollars of all windows and recent events", standing="candidate"),
    "J": Design("as H, and each of the last three months", sees="months"),
    "W": Design("as H, by propensity weights", method="propensity"),
}


def in_pool(people: People, pool: str) -> Bools:
    """(n,) treated people, and comparison people of the pool: by whether their practice ever bills CCM in the data."""
    adopting = people.groups["practice_adopts"] == "yes"
    wanted = {"never_adopting": ~adopting, "adopting": adopting, "any": np.ones(people.size, dtype=bool)}
    return np.asarray(people.treated | wanted[pool])


def weights_of(people: People, design: Design) -> balance.Weights:
    """Weights of everybody (n,), 0 outside the pool or without support."""
    pool = in_pool(people, design.pool) & (people.followed > 0)
    values = np.zeros(people.size)
    if design.method == "none":
        return balance.Weights(np.where(pool, 1.0, 0.0), True, np.nan)
    inside = people.keep(pool)
    if not inside.treated.any() or inside.treated.all():
        return balance.Weights(values, False, np.inf)
    wanted = covariates(inside, design.sees)
    stratum = balance.strata(inside, list(design.exact))
    if design.method == "nearest":
        logs = {name: np.log1p(one) if "usd" in name else one for name, one in wanted.items()}
        found = balance.nearest(inside, stratum, logs)
    else:
        wanted |= demographic_shares(inside)
        found = (balance.propensity if design.method == "propensity" else balance.balanced)(
            inside, stratum, wanted
        )
    values[pool] = found.values
    return balance.Weights(values, found.converged, found.worst)


def demographic_shares(people: People) -> dict[str, Floats]:
    """Indicators of the demographic groups that the people have, all but the largest of each kind."""
    found = {}
    for kind in DEMOGRAPHIC:
        if kind not in people.groups:
            continue
        names, counts = np.unique(people.groups[kind][people.treated], return_counts=True)
        for name in names[np.argsort(-counts)][1:]:
            found[f"{kind}={name}"] = (people.groups[kind] == name).astype(float)
    return found


def estimate(
    people: People,
    outcome: str,
    design: Design,
    weights: Floats,
    *,
    wild: bool | None = None,
    adjust: bool = False,
) -> Estimate:
    """The design's effect on an outcome, a month; `weights` are the design's."""
    if design.baseline is None:
        values = people.follow_up(outcome)
    else:
        values = change(people, outcome, design.baseline)
    share = exposure(people, weights)
    if design.says == DESIGNS["A"].says:
        return before_and_after(people, values, share)
    if adjust:
        columns = np.column_stack(list(covariates(people, design.sees).values()))
        values = adjusted(values, people.treated, share, columns)
    return weighted_difference(values, people.treated, share, people.practice, wild=wild)


def before_and_after(people: People, values: Floats, share: Floats) -> Estimate:
    """Mean change of the treated alone, clustered on practice."""
    ours = people.treated & np.isfinite(values) & (share > 0)
    w, y = share[ours], values[ours]
    mean = float(np.average(y, weights=w))
    _, cluster = np.unique(people.practice[ours], return_inverse=True)
    parts = np.bincount(cluster, w * (y - mean) / w.sum())
    count = len(parts)
    error = float(np.sqrt((parts**2).sum() * count / max(count - 1, 1)))
    lower, upper, p = interval(mean, error, count)
    return Estimate(mean, error, lower, upper, p, int(ours.sum()), 0, count)
