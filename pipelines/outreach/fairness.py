"""Whether the ranking does right by every group: calibration, need around the cut, people missed, and who is asked this month.

Four answers: `pass` within the declared bounds; `fail` where the interval lies outside them, so that chance alone does not fail a run;
`cannot_assess` where too little is known, or the estimate is outside and its interval is not; `not_applicable` without bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from pipelines.outreach.choosing import Chosen
from pipelines.outreach.evidence import GROUPS, UNKNOWN, Floats

EVERYBODY = "everybody"
TENTHS = "tenth_of_score"
LEVEL = 0.99  # dozens of figures are judged at once: at 95 % one of them would fail by chance in most runs
TAIL = (1 - LEVEL) / 2
Z = float(stats.norm.ppf(1 - TAIL))


@dataclass(frozen=True)
class Finding:
    """One measure of one group: of `people`, `counted` of them; the figure with its 99 % interval, bounds and status.

    `counted` are those with an event, or those asked; `expected` the mean probability, or the group's share of need.
    """

    measure: str
    group_kind: str
    group_value: str
    people: int
    counted: int
    expected: float
    value: float
    lower: float
    upper: float
    required_low: float | None
    required_high: float | None
    status: str


def judged(value: float, lower: float, upper: float, low: float | None, high: float | None) -> str:
    """The status of a figure; nan bounds count as not known."""
    if low is None and high is None:
        return "not_applicable"
    least, most = -np.inf if low is None else low, np.inf if high is None else high
    if not np.isfinite([value, lower, upper]).all():
        return "cannot_assess"
    if least <= value <= most:
        return "pass"
    return "fail" if upper < least or lower > most else "cannot_assess"


def poisson_interval(events: float, expected: float) -> tuple[float, float]:
    """Exact 99 % interval of observed over expected."""
    low = stats.chi2.ppf(TAIL, 2 * events) / 2 if events else 0.0
    return float(low / expected), float(stats.chi2.ppf(1 - TAIL, 2 * (events + 1)) / 2 / expected)


def calibration_slope(came: np.ndarray, foretold: Floats) -> tuple[float, float, float]:
    """Slope of what came on the log odds foretold, with its 99 % interval; nan where it cannot be had."""
    import statsmodels.api as sm

    held = np.clip(foretold, 1e-6, 1 - 1e-6)
    odds = np.log(held / (1 - held))
    if np.ptp(odds) < 1e-9:
        return (float("nan"),) * 3
    fit = sm.GLM(came, sm.add_constant(odds), family=sm.families.Binomial()).fit()
    slope, error = float(fit.params[1]), float(fit.bse[1])
    return slope, slope - Z * error, slope + Z * error


def ratio_of_rates(events: float, people: float, others: float, of: float) -> tuple[float, float, float]:
    """events / people over others / of with a 99 % interval on the log scale; nan where a count is 0."""
    if min(events, people, others, of) <= 0:
        return (float("nan"),) * 3
    ratio = (events / people) / (others / of)
    error = Z * np.sqrt(1 / events - 1 / people + 1 / others - 1 / of)
    return ratio, float(ratio * np.exp(-error)), float(ratio * np.exp(error))


def of_test(tested: pl.DataFrame, share_asked: float, limits: dict[str, float]) -> list[Finding]:
    """Findings on the latest months with known outcome. `tested`: `foretold`, `came` and the groups; `share_asked`: the share of people
    whom practices can ask, so where the cut lies."""
    came, foretold = tested["came"].to_numpy().astype(float), tested["foretold"].to_numpy()
    cut = np.quantile(foretold, 1 - share_asked) if len(foretold) else 0.0
    rank = stats.rankdata(foretold, method="average") / max(len(foretold), 1)
    near = np.abs(rank - (1 - share_asked)) <= limits["cut_window"]
    found = []
    for kind, group, mine in _groups(tested):
        events, expected = came[mine].sum(), foretold[mine].sum()
        enough = events >= limits["least_group_events"] or kind == EVERYBODY
        facts = (kind, group, int(mine.sum()), int(events), float(foretold[mine].mean()))

        def add(
            measure: str, figures: tuple[float, float, float], low: float | None, high: float | None, *, known: bool,
            facts: tuple[str, str, int, int, float] = facts,
        ) -> None:  # fmt: skip
            status = judged(*figures, low, high) if known else "cannot_assess"
            found.append(Finding(measure, *facts, *figures, low, high, status))

        add("observed_over_expected", (events / expected, *poisson_interval(events, expected)),
            limits["lowest_observed_over_expected"], limits["highest_observed_over_expected"], known=enough)  # fmt: skip
        slope = calibration_slope(came[mine], foretold[mine]) if enough else (float("nan"),) * 3
        add("calibration_slope", slope, limits["lowest_calibration_slope"], limits["highest_calibration_slope"], known=enough)  # fmt: skip
        if kind != EVERYBODY:
            inside, outside = near & mine, near & ~mine
            around = ratio_of_rates(came[inside].sum(), inside.sum(), came[outside].sum(), outside.sum())
            found.append(
                Finding(
                    "need_around_cut", kind, group, int(inside.sum()), int(came[inside].sum()),
                    float(foretold[inside].mean()) if inside.any() else float("nan"), *around,
                    limits["lowest_need_ratio"], limits["highest_need_ratio"],
                    judged(*around, limits["lowest_need_ratio"], limits["highest_need_ratio"]) if enough else "cannot_assess",
                )
            )  # fmt: skip
        missed = mine & (foretold < cut) & (came > 0)
        share = missed.sum() / events if events else float("nan")
        found.append(
            Finding("missed_of_events", *facts[:2], int(events), int(missed.sum()), float("nan"), float(share),
                    float("nan"), float("nan"), None, None, "not_applicable")
        )  # fmt: skip
    return found


def of_tenths(tested: pl.DataFrame) -> list[Finding]:
    """The reliability table: people in tenths by what was foretold, and what came."""
    came, foretold = tested["came"].to_numpy().astype(float), tested["foretold"].to_numpy()
    tenth = np.ceil(stats.rankdata(foretold, method="average") / len(foretold) * 10).astype(int)
    found = []
    for number in np.unique(tenth):
        mine = tenth == number
        events, expected = came[mine].sum(), foretold[mine].sum()
        found.append(
            Finding("observed_over_expected", TENTHS, str(number), int(mine.sum()), int(events), float(foretold[mine].mean()),
                    float(events / expected), *poisson_interval(events, expected), None, None, "not_applicable")
        )  # fmt: skip
    return found


def of_list(people: pl.DataFrame, need: Floats, chosen: Chosen, tolerance: float) -> list[Finding]:
    """Who is asked this month against need: the group's share of those asked over its share of need."""
    unmet = {(floor.kind, floor.group) for floor in chosen.unmet}
    total, asked = float(need.sum()), int(chosen.asked.sum())
    found = []
    for kind, group, mine in _groups(people):
        share = float(need[mine].sum() / total) if total else float("nan")
        mine_asked = int((chosen.asked & mine).sum())
        value = mine_asked / asked / share if asked and share else float("nan")
        has_floor = kind != EVERYBODY and group != UNKNOWN
        status = "not_applicable" if not has_floor else "fail" if (kind, group) in unmet else "pass"
        found.append(
            Finding("asked_over_need", kind, group, int(mine.sum()), mine_asked, share, value, float("nan"), float("nan"),
                    1 - tolerance if has_floor else None, None, status)
        )  # fmt: skip
    return found


def _groups(people: pl.DataFrame) -> Iterator[tuple[str, str, Any]]:
    """Everybody, then each group of each kind: (kind, group, (n,) who)."""
    if not people.height:
        return
    yield EVERYBODY, EVERYBODY, np.ones(people.height, dtype=bool)
    for kind in GROUPS:
        values = people[kind].to_numpy()
        for group in sorted(set(values.tolist())):
            yield kind, str(group), values == group
