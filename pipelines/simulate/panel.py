"""A panel of people in memory with known effect, to try study designs on: no claims, so a hundred seeds take minutes.

The same generating model as the population (illness, persistent shocks, selection on recent events, a programme that prevents part of
what would have happened), each seed once with and once without the effect, on the same draws. Made with numpy, months in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.impact.people import BASELINE, Bools, Floats, Ints, People


@dataclass(frozen=True)
class PanelShape:
    """How many people and months; what is planted. Ratios are of admissions, the square root of emergency visits."""

    people: int = 24_000
    months: int = 36
    people_each_practice: int = 50
    adopting_share: float = 0.5
    selection: float = 0.8  # log odds of starting after an event in the last three months
    ratio: float = 0.90
    ratio_dual: float = 0.80
    fee: float = 42.0
    months_after: int = 6
    follow_up: int = 12


@dataclass(frozen=True)
class World:
    """with_effect, without: the same people in both worlds, comparison people included. practices: see `practice_panel`."""

    with_effect: People
    without: People
    practices: PracticePanel


@dataclass(frozen=True)
class PracticePanel:
    """(practices, quarters) mean dollars a person-month of everybody eligible, with and without effect; adoption quarter or -1."""

    with_effect: Floats
    without: Floats
    people: Ints
    adopted: Ints


def make(seed: int, shape: PanelShape | None = None) -> World:
    """One world and its twin."""
    at = shape or PanelShape()
    rng = np.random.default_rng([seed, 20_170])
    n, months = at.people, at.months
    latent = rng.standard_normal(n)
    dual = rng.random(n) < 0.16
    conditions = rng.poisson(np.exp(1.2 + 0.55 * latent + 0.15 * dual))
    frailty = 0.85 * (np.log1p(conditions) - 1.4) / 0.65 + 0.25 * dual + 0.45 * rng.standard_normal(n)
    count = max(n // at.people_each_practice, 2)
    practice = rng.integers(0, count, n)
    adopts = rng.random(count) < at.adopting_share
    adopted = np.where(adopts, rng.integers(BASELINE, months - 9, count), months)
    level = 0.10 * rng.standard_normal(count)
    own = frailty + level[practice] + rng.normal(-0.95, 1.05, n)
    exit_chance = 1 - (1 - 0.012) ** np.exp(0.3 * frailty)

    admissions, visits = (np.zeros((n, months), dtype=np.int16) for _ in range(2))
    spent = np.zeros((n, months))
    shock = rng.standard_normal(n)
    observed = np.full(n, months)
    start = np.full(n, months)
    for month in range(months):
        shock = 0.6 * shock + 0.8 * rng.standard_normal(n)
        rate = np.exp(-4.55 + 1.05 * frailty + 0.45 * shock - 0.1)
        admissions[:, month] = np.minimum(rng.poisson(np.minimum(rate, 0.8)), 3)
        visits[:, month] = np.minimum(rng.poisson(np.minimum(2 * rate, 1.2)), 5)
        spent[:, month] = (
            480 * np.exp(np.minimum(own, 4) + 0.3 * shock) * rng.gamma(0.45, 1.0, n) * 1.0025**month
        )
        lead = slice(max(month - 3, 0), month)
        recent = (admissions[:, lead].sum(axis=1) + visits[:, lead].sum(axis=1)) > 0
        score = -3.45 + 0.16 * (conditions - 4) + at.selection * recent - 0.43 * dual
        begins = rng.random(n) < 1 / (1 + np.exp(-score))
        ready = (conditions >= 2) & (month > adopted[practice]) & (start == months) & (observed == months)
        start[begins & ready] = month
        leaves = (rng.random(n) < exit_chance) & (observed == months) & (month > 0)
        observed[leaves] = month
    length = np.where(rng.random(n) < 0.19, 1, 2 + rng.geometric(1 / 7.5, n))
    months_of = np.arange(months)
    active = (months_of >= start[:, None]) & (months_of < (start + length)[:, None])
    exposed = (months_of >= start[:, None]) & (months_of < (start + length + at.months_after)[:, None])
    ratio = np.where(dual, at.ratio_dual, at.ratio)[:, None]
    prevented = rng.binomial(admissions, np.where(exposed, 1 - ratio, 0.0))
    unvisited = rng.binomial(visits, np.where(exposed, 1 - np.sqrt(ratio), 0.0))
    cost = _stays(rng, admissions - prevented), _stays(rng, prevented)
    without = {
        "total_usd": spent + cost[0] + cost[1] + 600.0 * visits,
        "acute_admissions": admissions.astype(float),
        "emergency_visits": visits.astype(float),
    }
    with_effect = {
        "total_usd": spent + cost[0] + 600.0 * (visits - unvisited) + at.fee * active,
        "acute_admissions": (admissions - prevented).astype(float),
        "emergency_visits": (visits - unvisited).astype(float),
    }
    index, treated = _index(rng, at, start, observed, conditions)
    rows = np.flatnonzero(index >= 0)
    groups = {
        "dual_status": np.where(dual, "full", "not_dual")[rows],
        "practice_adopts": np.where(adopts[practice], "yes", "no")[rows],
    }
    people = [
        _people(at, world, rows, index, treated, observed, conditions, practice, groups)
        for world in (with_effect, without)
    ]
    return World(
        people[0],
        people[1],
        _practices(with_effect, without, conditions, practice, observed, adopted, months),
    )


def _stays(rng: np.random.Generator, count: Ints) -> Floats:
    """Dollars of so many stays each."""
    dollars = np.zeros(count.shape)
    some = count > 0
    dollars[some] = rng.gamma(1.3 * count[some], 12_000.0)
    return dollars


def _index(
    rng: np.random.Generator, at: PanelShape, start: Ints, observed: Ints, conditions: Ints
) -> tuple[Ints, Bools]:
    """Index month of everybody who is taken in, else -1: users at their start, others at a month drawn from the users'."""
    treated = (start >= BASELINE) & (start < at.months - 1) & (start < observed)
    drawn = rng.choice(start[treated], len(start)) if treated.any() else np.full(len(start), -1)
    at_risk = (conditions >= 2) & (drawn < observed) & (start > drawn) & ~treated
    return np.where(treated, start, np.where(at_risk, drawn, -1)), treated


def _people(
    at: PanelShape,
    world: dict[str, Floats],
    rows: Ints,
    index: Ints,
    treated: Bools,
    observed: Ints,
    conditions: Ints,
    practice: Ints,
    groups: dict[str, np.ndarray],
) -> People:
    followed = np.clip(np.minimum(observed[rows], at.months) - 1 - index[rows], 0, at.follow_up)
    back = index[rows][:, None] + np.arange(-BASELINE, 0)
    ahead = np.minimum(index[rows][:, None] + 1 + np.arange(at.follow_up), at.months - 1)
    seen = np.arange(at.follow_up) < followed[:, None]
    return People(
        treated=treated[rows],
        practice=practice[rows].astype(str),
        index_month=index[rows],
        followed=followed,
        before={name: values[rows[:, None], back] for name, values in world.items()},
        after={name: np.where(seen, values[rows[:, None], ahead], 0.0) for name, values in world.items()},
        groups=groups,
        conditions=conditions[rows],
    )


def _practices(
    with_effect: dict[str, Floats],
    without: dict[str, Floats],
    conditions: Ints,
    practice: Ints,
    observed: Ints,
    adopted: Ints,
    months: int,
) -> PracticePanel:
    count = len(adopted)
    seen = (conditions >= 2)[:, None] & (np.arange(months) < observed[:, None])
    means = []
    for world in (with_effect, without):
        total, people = (np.zeros((count, months)) for _ in range(2))
        np.add.at(total, practice, np.where(seen, world["total_usd"], 0.0))
        np.add.at(people, practice, seen)
        means.append(
            total.reshape(count, -1, 3).sum(axis=2) / np.maximum(people.reshape(count, -1, 3).sum(axis=2), 1)
        )
    size = np.bincount(practice[conditions >= 2], minlength=count)
    # A practice's first months after adoption lie in the quarter of the month after it.
    quarter = np.where(adopted < months, (adopted + 1) // 3, -1)
    return PracticePanel(means[0], means[1], size, quarter)
