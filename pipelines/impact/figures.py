"""Figures of a study as altair charts of published tables: hidden rows never reach a chart."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import polars as pl

from pipelines.notebooks import show


def love_plot(balance: pl.DataFrame) -> Any | None:
    """Standardised differences before and after weighting, one row a covariate; lines at 0.1."""
    rows = balance.filter(~pl.col("is_suppressed")).with_columns(
        name=pl.when(pl.col("level") == "")
        .then(pl.col("covariate"))
        .otherwise(pl.concat_str("covariate", "level", separator=": "))
    )
    long = pl.concat(
        [
            rows.select("name", smd=pl.col("smd_before"), when=pl.lit("before weighting")),
            rows.select("name", smd=pl.col("smd"), when=pl.lit("after weighting")),
        ]
    ).drop_nulls()
    if not long.height:
        return None
    limits = alt.Chart(alt.Data(values=[{"x": -0.1}, {"x": 0.1}])).mark_rule(
        color=show.GREY, strokeDash=[4, 3]
    )
    points = (
        alt.Chart(show.records(long))
        .mark_point(filled=True, size=36)
        .encode(
            x=alt.X("smd:Q", title="Standardised mean difference"),
            y=alt.Y("name:N", title=None, sort=None),
            color=alt.Color("when:N", title=None, legend=alt.Legend(orient="top")),
            shape=alt.Shape("when:N", title=None),
        )
    )
    return show.figure(
        limits.encode(x="x:Q") + points, "Balance before the index month", height=14 * rows.height + 20
    )


def event_time(estimates: pl.DataFrame, prefix: str, title: str) -> Any | None:
    """Effects by quarter with 95 % intervals and, where there is one, the band that covers all quarters together."""
    rows = estimates.filter(pl.col("term").str.starts_with(prefix) & ~pl.col("is_suppressed"))
    values = []
    for row in rows.to_dicts():
        told = json.loads(row["diagnostics"])
        values.append(
            {
                "quarter": told["quarter"],
                **{name: row[name] for name in ("estimate", "lower", "upper")},
                "band_lower": told.get("band_lower", row["lower"]),
                "band_upper": told.get("band_upper", row["upper"]),
            }
        )
    if not values:
        return None
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("quarter:Q", title="Quarter", axis=alt.Axis(tickMinStep=1))
    )
    zero = alt.Chart(alt.Data(values=[{"y": 0}])).mark_rule(color=show.GREY).encode(y="y:Q")
    band = base.mark_rule(color=show.GREY, strokeWidth=1).encode(
        y=alt.Y("band_lower:Q", title="Effect a month"), y2="band_upper:Q"
    )
    bars = base.mark_rule(color=show.BLUE, strokeWidth=3).encode(y="lower:Q", y2="upper:Q")
    points = base.mark_point(color=show.BLUE, filled=True, size=50).encode(y="estimate:Q")
    return show.figure(zero + band + bars + points, title, height=240)


def forest(estimates: pl.DataFrame, label: pl.Expr, title: str) -> Any | None:
    """One estimate and interval a row."""
    rows = estimates.filter(
        ~pl.col("is_suppressed") & pl.col("lower").is_finite() & pl.col("upper").is_finite()
    )
    rows = rows.select(label.alias("label"), "estimate", "lower", "upper")
    if not rows.height:
        return None
    base = alt.Chart(show.records(rows)).encode(y=alt.Y("label:N", title=None, sort=None))
    zero = alt.Chart(alt.Data(values=[{"x": 0}])).mark_rule(color=show.GREY).encode(x="x:Q")
    bars = base.mark_rule(color=show.BLUE, strokeWidth=2).encode(
        x=alt.X("lower:Q", title="Effect a month"), x2="upper:Q"
    )
    points = base.mark_point(color=show.BLUE, filled=True, size=50).encode(x="estimate:Q")
    return show.figure(zero + bars + points, title, height=22 * rows.height + 20)


def honest_curve(estimates: pl.DataFrame) -> Any | None:
    """Intervals of the mean effect if trends may differ by so many times as much after the index month as before it."""
    rows = estimates.filter(pl.col("term").str.starts_with("honest_") & ~pl.col("is_suppressed"))
    return forest(rows, pl.concat_str(pl.lit("trends differ up to "), pl.col("term").str.replace("honest_", ""), pl.lit(" x")),
                  "If trends were not parallel: robust intervals of the mean effect")  # fmt: skip


def of_study(tables: dict[str, pl.DataFrame], design: str, outcome: str) -> dict[str, Any]:
    """Every figure that can be drawn: name -> chart."""
    estimates = tables["impact_estimates"]
    own = estimates.filter((pl.col("design") == design) & (pl.col("outcome") == outcome))
    everybody = estimates.filter((pl.col("outcome") == outcome) & (pl.col("group_kind") == "everybody"))
    variants = own.filter(pl.col("term").str.starts_with("att") & (pl.col("group_kind") == "everybody"))
    subgroups = own.filter((pl.col("term") == "att") & (pl.col("group_kind") != "everybody"))
    made = {
        "balance": love_plot(tables["balance"]),
        "event_study": event_time(
            own, "quarter_", "Effect by quarter around the index month, against the quarter before it"
        ),
        "practices_event_time": event_time(
            estimates.filter(pl.col("design") == "practice_itt"),
            "event_",
            "Practices: effect by quarter since adoption",
        ),
        "designs": forest(
            everybody.filter(pl.col("term") == "att"),
            pl.col("design"),
            "The same question by several designs",
        ),
        "sensitivity": forest(variants, pl.col("term"), "The primary design with one choice changed"),
        "subgroups": forest(
            subgroups, pl.concat_str("group_kind", "group_value", separator=": "), "Effect within groups"
        ),
        "honest": honest_curve(own),
    }
    return {name: chart for name, chart in made.items() if chart is not None}
