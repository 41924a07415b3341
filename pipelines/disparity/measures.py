"""The rows of the published measures: rates, intervals, gaps and tests, all made of counts as they are shown.

Belongs here: statistics over counts that may be shown. Does not belong here: what may be shown, and what is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from pipelines.disparity import intervals
from pipelines.disparity.counts import counts_of
from pipelines.disparity.multiplicity import benjamini_hochberg, difference_p_value, holm

ALPHA, MEANINGFUL = 0.05, 0.10  # AHRQ NHQDR: p and relative difference of a meaningful gap
# NCHS (Parker and others 2017): a proportion of fewest people, and widths of its interval, that may be presented as it is.
PRESENTABLE_PEOPLE, NARROW, WIDE, RELATIVELY_WIDE = 30, 0.05, 0.30, 1.30
# Measure: numerator, denominator (as in dbt_project/macros/measures.sql, held to it by a test), and whether it is of people.
MEASURES: dict[str, tuple[str, str]] = {
    "eligible_share": ("eligible_months", "assessable_months"),
    "billed_months": ("billed_months", "eligible_months"),
    "coverage": ("paid_months", "eligible_months"),
    "retention": ("retained_months", "continuable_months"),
    "uptake": ("paid_people", "eligible_people"),
    "persistence": ("paid_months", "paid_people"),
    "reached_eligible": ("eligible_people", "enrolled_people"),
    "reached_consented": ("consented_people", "eligible_people"),
    "reached_billed": ("billed_people", "consented_people"),
    "reached_paid": ("paid_people", "billed_people"),
    "reached_lasting": ("lasting_people", "paid_people"),
}


def measures(
    counts: pl.DataFrame,
    reference: Mapping[str, str],
    rates: pl.DataFrame,
    completeness: pl.DataFrame,
    headline: pl.DataFrame,
) -> pl.DataFrame:
    """Rows of the published table from the counts as published: rates, intervals and gaps of what is shown, null of the rest."""
    wide = counts.pivot(on="count", index=["year", "group_kind", "group_value"], values="value")
    if not counts.height:
        wide = counts.select("year", "group_kind", "group_value")
    parts = []
    for measure, (numerator, denominator) in MEASURES.items():
        of = [
            kind for kind in wide["group_kind"].unique() if {numerator, denominator} <= set(counts_of(kind))
        ]
        if {numerator, denominator} <= set(wide.columns):
            parts.append(
                wide.filter(pl.col("group_kind").is_in(of)).select(
                    pl.lit(measure).alias("measure"),
                    pl.col("year").alias("period"),
                    "group_kind",
                    "group_value",
                    pl.col(numerator).alias("numerator"),
                    pl.col(denominator).alias("denominator"),
                )
            )
    if not parts:
        schema = {"measure": pl.String, "period": pl.Int64, "group_kind": pl.String, "group_value": pl.String}
        parts = [pl.DataFrame(schema={**schema, "numerator": pl.Int64, "denominator": pl.Int64})]
    rows = pl.concat(parts)
    # A rate says its numerator where the denominator is shown, so either hides both; and a share of nobody is no share.
    is_hidden = pl.col("numerator").is_null() | pl.col("denominator").is_null()
    rows = rows.with_columns(is_hidden.alias("is_suppressed"))
    base = rows.filter(
        pl.col("group_value") == pl.col("group_kind").replace_strict(dict(reference), default=None)
    ).select("measure", "period", "group_kind", ref_numerator="numerator", ref_denominator="denominator")
    rows = rows.join(base, on=["measure", "period", "group_kind"], how="left", maintain_order="left")
    made = with_statistics(rows, reference)
    made = with_standardised(made, rates, reference)
    made = with_holm(made, headline)
    return (
        made.join(completeness, on="period", how="left")
        .with_columns(pl.col("run_out_state").fill_null("cannot_assess"))
        .sort("measure", "period", "group_kind", "group_value")
    )


def with_standardised(rows: pl.DataFrame, rates: pl.DataFrame, reference: Mapping[str, str]) -> pl.DataFrame:
    """Uptake standardised for age and sex, and its gap to the reference group, where both may be shown."""
    rates = rates.with_columns(measure=pl.lit("uptake"), period=pl.col("period").cast(rows.schema["period"]))
    keys = ["measure", "period", "group_kind"]
    is_reference = pl.col("group_value") == pl.col("group_kind").replace_strict(
        dict(reference), default=None, return_dtype=pl.String
    )
    base = rates.filter(is_reference).select(
        *keys, base_rate="standardised_rate", base_lower="std_lower", base_upper="std_upper"
    )
    made = rows.join(rates, on=[*keys, "group_value"], how="left", maintain_order="left").join(
        base, on=keys, how="left", maintain_order="left"
    )
    compared = made.select(
        pl.when(is_reference.fill_null(False)).then(None).otherwise("base_rate")
    ).to_series()
    numbers = {
        name: made[name].fill_null(np.nan).to_numpy()
        for name in ("standardised_rate", "std_lower", "std_upper", "base_lower", "base_upper")
    }
    other = compared.fill_null(np.nan).to_numpy()
    lower, upper = intervals.mover(
        numbers["standardised_rate"],
        numbers["std_lower"],
        numbers["std_upper"],
        other,
        numbers["base_lower"],
        numbers["base_upper"],
    )
    found = {
        "std_gap": numbers["standardised_rate"] - other,
        "std_gap_lower": lower,
        "std_gap_upper": upper,
    }
    return made.drop("base_rate", "base_lower", "base_upper").with_columns(
        **{name: pl.Series(values).fill_nan(None) for name, values in found.items()}
    )


def with_holm(rows: pl.DataFrame, headline: pl.DataFrame) -> pl.DataFrame:
    """`p_holm`: p-values of the comparisons named before any result, adjusted together within a year."""
    named = rows.join(
        headline.with_columns(is_headline=pl.lit(True)),
        on=["measure", "group_kind", "group_value"],
        how="left",
        maintain_order="left",
    ).with_columns(pl.col("is_headline").fill_null(False))
    p = named["p_value"].fill_null(np.nan).to_numpy()
    chosen, periods = named["is_headline"].to_numpy().astype(bool), named["period"].to_numpy()
    adjusted = np.full(len(p), np.nan)
    for period in np.unique(periods[chosen]):
        mine = chosen & (periods == period)
        adjusted[mine] = holm(p[mine])
    return named.with_columns(p_holm=pl.Series(adjusted).fill_nan(None))


def with_statistics(rows: pl.DataFrame, reference: Mapping[str, str]) -> pl.DataFrame:
    """Rates with intervals, gaps to the reference group, p and q. Intervals are of measures of people only: the months of one
    person resemble each other, so an interval that takes them as independent would be too narrow."""

    def numbers(name: str) -> Any:
        return rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()

    is_hidden = rows["is_suppressed"].to_numpy().astype(bool)
    a, n = (np.where(is_hidden, np.nan, numbers(name)) for name in ("numerator", "denominator"))
    b, m = numbers("ref_numerator"), numbers("ref_denominator")
    is_reference = (
        rows["group_value"] == rows["group_kind"].replace_strict(dict(reference), default=None, return_dtype=pl.String)
    ).fill_null(False).to_numpy()  # fmt: skip
    b, m = np.where(is_reference, np.nan, b), np.where(is_reference, np.nan, m)
    of_people = np.array(
        [all(one.endswith("_people") for one in MEASURES[name]) for name in rows["measure"]], dtype=bool
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, base = np.where(n > 0, a / n, np.nan), np.where(m > 0, b / m, np.nan)
        gap, ratio = rate - base, np.where(base > 0, rate / base, np.nan)

        def people(values: Any) -> Any:
            return np.where(of_people, values, np.nan)

        both = {
            ("lower", "upper"): intervals.wilson(people(a), people(n)),
            ("gap_lower", "gap_upper"): intervals.newcombe(people(a), people(n), people(b), people(m)),
            ("ratio_lower", "ratio_upper"): intervals.relative_risk(
                people(a), people(n), people(b), people(m)
            ),
        }
        p = difference_p_value(people(a), people(n), people(b), people(m))
        relative = np.maximum(np.abs(rate / base - 1), np.abs((1 - rate) / (1 - base) - 1))
        width = both["lower", "upper"][1] - both["lower", "upper"][0]
        presentable = (n >= PRESENTABLE_PEOPLE) & (
            (width <= NARROW) | ((width <= WIDE) & (width <= RELATIVELY_WIDE * rate))
        )
        # People who would be paid for as well, or would not, at the rate of the reference group.
        missed = np.round((base - rate) * n)
    columns = {"rate": rate}
    for names, found in both.items():
        columns |= dict(zip(names, found, strict=True))
    columns |= {"gap": gap, "ratio": ratio, "p_value": p, "attributable": people(missed)}
    made = rows.with_columns(**{name: pl.Series(values).fill_nan(None) for name, values in columns.items()})
    families = made.select(pl.struct("measure", "period", "group_kind").rank("dense"))[:, 0].to_numpy()
    q = np.full(len(p), np.nan)
    for family in np.unique(families):
        q[families == family] = benjamini_hochberg(p[families == family])
    is_large = relative >= MEANINGFUL
    meaningful = [
        None if np.isnan(one) else bool(one <= ALPHA and large)
        for one, large in zip(p, is_large, strict=True)
    ]
    return made.with_columns(
        pl.Series("q_value", q).fill_nan(None),
        pl.Series("is_meaningful", meaningful, dtype=pl.Boolean),
        pl.Series(
            "is_presentable",
            [None if np.isnan(one) else bool(fit) for one, fit in zip(width, presentable, strict=True)],
            dtype=pl.Boolean,
        ),
        pl.col("attributable").cast(pl.Int64),
        numerator=pl.when("is_suppressed").then(None).otherwise("numerator"),
        denominator=pl.col("denominator"),
    ).select(
        *(
            "measure",
            "period",
            "group_kind",
            "group_value",
            "numerator",
            "denominator",
            "rate",
            "lower",
            "upper",
        ),
        *("gap", "gap_lower", "gap_upper", "ratio", "ratio_lower", "ratio_upper", "p_value", "q_value"),
        *("is_meaningful", "is_presentable", "attributable", "is_suppressed"),
    )
