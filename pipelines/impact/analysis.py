"""Everything that a study estimates, as rows: one a design, outcome, group and term. Nothing here is suppressed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipelines.disparity.multiplicity import benjamini_hochberg
from pipelines.impact import balance, designs, effects, event_study, sensitivity
from pipelines.impact.designs import DESIGNS, Design
from pipelines.impact.effects import Estimate
from pipelines.impact.people import Floats, People, covariates
from pipelines.impact.protocol import CONTROLS, COUNTS, GROUPS, Protocol


@dataclass
class Row:
    """One estimate. `group_kind` and `group_value` are `everybody` for all; `extra` goes into the diagnostics."""

    design: str
    outcome: str
    term: str
    found: Estimate
    group_kind: str = "everybody"
    group_value: str = "everybody"
    extra: dict[str, Any] | None = None
    q_value: float | None = None

    def diagnostics(self) -> str:
        """JSON text: how the interval was made, practices, and what the term adds."""
        told = {"inference": self.found.inference, "practices": self.found.clusters, **(self.extra or {})}
        return json.dumps({name: _plain(value) for name, value in told.items()}, sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if np.isfinite(value) else None
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    return value


def point(
    value: float, like: Estimate, lower: float = np.nan, upper: float = np.nan, error: float = np.nan
) -> Estimate:
    """A number that is no effect, such as an E-value, with the counts of the estimate that it comes from."""
    return replace(
        like,
        estimate=value,
        std_error=error,
        lower=lower,
        upper=upper,
        p_value=np.nan,
        influence=None,
        practices=None,
    )


@dataclass
class Analysis:
    """What one study found: rows of estimates, the weights of each design, the event study and the bounds of the primary design."""

    rows: list[Row]
    weights: dict[str, balance.Weights]
    study: event_study.EventStudy
    bounds: list[event_study.Bound]


def analyse(people: People, protocol: Protocol) -> Analysis:
    """All user-level estimates of a protocol."""
    names = list(dict.fromkeys([protocol.design, *protocol.also]))
    weights = {name: designs.weights_of(people, DESIGNS[name]) for name in names}
    rows: list[Row] = []
    for name in names:
        found = designs.estimate(people, protocol.primary, DESIGNS[name], weights[name].values)
        rows.append(Row(name, protocol.primary, "att", found, extra=_about(people, name, weights[name])))
    own, mine = DESIGNS[protocol.design], weights[protocol.design]
    for outcome in (*protocol.outcomes[1:], *protocol.negative_controls):
        found = designs.estimate(people, outcome, own, mine.values)
        kind = "negative_control" if outcome in CONTROLS else "att"
        rows.append(Row(protocol.design, outcome, kind, found))
    for outcome in protocol.outcomes:
        headline = next(row.found for row in rows if row.outcome == outcome and row.design == protocol.design)
        rows += _headline(people, protocol, outcome, own, mine.values, headline)
    rows += _variants(people, protocol, own, mine.values)
    rows += _subgroups(people, protocol, own)
    study = event_study.event_study(people, protocol.primary, mine.values)
    bounds = event_study.honest(study)
    rows += _by_quarter(protocol, study, bounds)
    return Analysis(rows, weights, study, bounds)


def _about(people: People, name: str, weights: balance.Weights) -> dict[str, Any]:
    return {
        "says": DESIGNS[name].says,
        "standing": DESIGNS[name].standing,
        "effective_comparison": round(weights.effective_size(people.treated), 1),
        "moments_met": weights.converged,
    }


def _headline(
    people: People, protocol: Protocol, outcome: str, own: Design, weights: Floats, headline: Estimate
) -> list[Row]:
    """What stands beside a main effect: adjusted effect, rate ratio, E-values, and what could have been detected."""
    window = own.baseline or "12_to_1"
    adjusted = designs.estimate(people, outcome, own, weights, adjust=True, wild=False)
    found = [Row(protocol.design, outcome, "att_adjusted", adjusted)]
    after = people.follow_up(outcome)
    usable = np.isfinite(after) & (weights > 0)
    share = effects.exposure(people, weights)
    mean = float(np.average(after[usable], weights=share[usable]))
    deviation = float(np.sqrt(np.average((after[usable] - mean) ** 2, weights=share[usable])))
    if outcome in COUNTS:
        ratio = effects.rate_ratio(people, outcome, weights, window)
        found.append(
            Row(
                protocol.design, outcome, "rate_ratio", point(ratio.ratio, headline, ratio.lower, ratio.upper)
            )
        )
        low, high, middle = ratio.lower, ratio.upper, ratio.ratio
    else:
        low, high, middle = (
            sensitivity.ratio_of_difference(one, deviation)
            for one in (headline.lower, headline.upper, headline.estimate)
        )
    limit = sensitivity.e_value_of_limit(low, high)
    found.append(
        Row(
            protocol.design,
            outcome,
            "e_value",
            point(sensitivity.e_value(middle), headline),
            extra={"of_limit": limit},
        )
    )
    detectable = headline.minimal_detectable()
    tenth = abs(float(np.average(people.baseline(outcome)[people.treated]))) / 10
    found.append(
        Row(
            protocol.design,
            outcome,
            "minimal_detectable",
            point(detectable, headline),
            extra={
                "power": 0.8,
                "users_for_a_tenth_of_baseline": round(headline.needed_users(tenth), 0) if tenth else None,
            },
        )
    )
    return found


def _variants(people: People, protocol: Protocol, own: Design, weights: Floats) -> list[Row]:
    """The primary outcome counted otherwise: large months cut, all months of the follow-up in the denominator, the last year left out."""
    outcome, rows = protocol.primary, []
    if protocol.winsor is not None:
        cut = float(np.quantile(people.before[outcome], protocol.winsor))
        capped = replace(
            people,
            before={**people.before, outcome: np.minimum(people.before[outcome], cut)},
            after={**people.after, outcome: np.minimum(people.after[outcome], cut)},
        )
        found = designs.estimate(capped, outcome, own, weights, wild=False)
        rows.append(Row(protocol.design, outcome, "att_winsorised", found, extra={"at": protocol.winsor}))
    whole = replace(people, followed=np.where(people.followed > 0, people.months_after, 0))
    rows.append(
        Row(
            protocol.design,
            outcome,
            "att_all_months",
            designs.estimate(whole, outcome, own, weights, wild=False),
        )
    )
    for window in ("12_to_7", "3_to_1"):
        if window != own.baseline:
            other = replace(own, baseline=window)
            found = designs.estimate(people, outcome, other, weights, wild=False)
            rows.append(Row(protocol.design, outcome, f"att_baseline_{window}", found))
    return rows


def _subgroups(people: People, protocol: Protocol, own: Design) -> list[Row]:
    """Effect within each group, balanced anew, and its difference to the effect in the largest group; q over all differences."""
    rows: list[Row] = []
    for kind in protocol.subgroups:
        values = people.groups[kind]
        names, counts = np.unique(values[people.treated], return_counts=True)
        by_name: dict[str, Estimate] = {}
        for name in names:
            inside = people.keep(values == name)
            exact = tuple(one for one in own.exact if one != kind)
            weights = designs.weights_of(inside, replace(own, exact=exact))
            found = designs.estimate(inside, protocol.primary, own, weights.values)
            by_name[str(name)] = found
            extra = {"moments_met": weights.converged}
            rows.append(Row(protocol.design, protocol.primary, "att", found, kind, str(name), extra))
        reference = str(names[int(np.argmax(counts))])
        for name in by_name:
            if name != reference:
                found = effects.contrast(by_name[name], by_name[reference])
                rows.append(
                    Row(
                        protocol.design, protocol.primary, "triple_difference", found, kind, name, {"reference": reference}
                    )
                )  # fmt: skip
    differences = [row for row in rows if row.term == "triple_difference"]
    for row, q in zip(
        differences, benjamini_hochberg([row.found.p_value for row in differences]), strict=True
    ):
        row.q_value = float(q)
    return rows


def _by_quarter(
    protocol: Protocol, study: event_study.EventStudy, bounds: list[event_study.Bound]
) -> list[Row]:
    like = Estimate(
        np.nan, np.nan, np.nan, np.nan, np.nan, study.n_treated, study.n_comparison, study.clusters, "cluster"
    )
    critical = study.band() if len(study.quarters) else np.nan
    rows = []
    for quarter, value, error in zip(study.quarters, study.effects, study.errors, strict=True):
        lower, upper, p = effects.interval(float(value), float(error), study.clusters)
        found = replace(
            like, estimate=float(value), std_error=float(error), lower=lower, upper=upper, p_value=p
        )
        extra = {
            "quarter": int(quarter),
            "band_lower": value - critical * error,
            "band_upper": value + critical * error,
        }
        rows.append(Row(protocol.design, protocol.primary, f"quarter_{quarter:+d}", found, extra=extra))
    statistic, p = study.pre_trend()
    rows.append(
        Row(
            protocol.design,
            protocol.primary,
            "pre_trend",
            replace(like, estimate=statistic, p_value=p, inference="F test"),
        )
    )
    mean, error = study.average()
    for bound in bounds:
        found = replace(
            like,
            estimate=mean,
            std_error=error,
            lower=bound.lower,
            upper=bound.upper,
            inference="relative magnitudes",
        )
        rows.append(
            Row(protocol.design, protocol.primary, f"honest_{bound.m:g}", found, extra={"m": bound.m})
        )
    return rows


def practice_level(panel: Any, protocol: Protocol, people: tuple[int, int]) -> list[Row]:
    """Intention to treat of practices by three estimators, two-way fixed effects to be seen beside them, and event time."""
    from pipelines.impact import staggered

    if panel.empty or not (panel["first"] > 0).any() or not (panel["first"] == 0).any():
        return []
    panel = panel.assign(unit=panel["unit"].astype("category").cat.codes)

    def counted(one: Estimate) -> Estimate:
        """People in place of practices as the numbers behind an estimate."""
        return replace(one, n_treated=people[0], n_comparison=people[1])

    found, by_time = staggered.callaway_santanna(panel, weights="weight", cluster="unit")
    rows = [
        Row(
            "practice_itt",
            protocol.primary,
            "att",
            counted(found),
            extra={"estimator": "Callaway-Sant'Anna"},
        )
    ]
    further: list[tuple[str, str, Callable[..., Estimate]]] = [
        ("att_imputation", "imputation", staggered.imputation),
        ("att_sun_abraham", "Sun-Abraham", staggered.sun_abraham),
    ]
    for term, estimator, fit in further:
        one = fit(panel, weights="weight", cluster="unit")
        rows.append(
            Row(
                "practice_itt",
                protocol.primary,
                term,
                counted(one),
                extra={"estimator": estimator},
            )
        )
    twfe = staggered.two_way_fixed_effects(panel, weights="weight")
    rows.append(
        Row(
            "practice_itt", protocol.primary, "att_two_way_fixed_effects", counted(twfe),
            extra={"estimator": "two-way fixed effects", "standing": "fails"},
        )
    )  # fmt: skip
    for at in by_time:
        value = Estimate(
            at.estimate,
            at.std_error,
            at.lower,
            at.upper,
            np.nan,
            people[0],
            people[1],
            found.clusters,
            found.inference,
        )
        rows.append(
            Row(
                "practice_itt",
                protocol.primary,
                f"event_{at.period:+d}",
                value,
                extra={"quarter": at.period},
            )
        )
    return rows


@dataclass(frozen=True)
class BalanceRow:
    """A covariate before and after weighting; `few`: a count of 1 to `limit` people stands behind a mean."""

    covariate: str
    kind: str
    level: str
    before: balance.Difference
    after: balance.Difference
    few: bool


def balance_rows(people: People, design: Design, weights: Floats, limit: int) -> list[BalanceRow]:
    """Every covariate of the baseline in dollars and logs, counts, and the share of each group."""
    inside = designs.in_pool(people, design.pool) & (people.followed > 0)
    chosen, w = people.keep(inside), weights[inside]
    ones = np.ones(chosen.size)
    columns: list[tuple[str, str, str, Floats]] = []
    for name, values in covariates(chosen, "months").items():
        columns.append((name, "baseline", "", values))
        if name.startswith("total_usd"):
            columns.append((f"log_{name}", "baseline", "", np.log1p(np.maximum(values, 0))))
    for kind in GROUPS:
        for level in np.unique(chosen.groups[kind]):
            columns.append((kind, kind, str(level), (chosen.groups[kind] == level).astype(float)))
    rows = []
    for name, kind, level, values in columns:
        few = False
        for arm in (chosen.treated, ~chosen.treated):
            some = int((values[arm] != 0).sum())
            few |= 1 <= some <= limit or (
                set(np.unique(values)) <= {0.0, 1.0} and 1 <= int(arm.sum()) - some <= limit
            )
        rows.append(
            BalanceRow(
                name, kind, level,
                balance.difference(values, chosen.treated, ones), balance.difference(values, chosen.treated, w), few,
            )
        )  # fmt: skip
    return rows
