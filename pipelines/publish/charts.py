"""Charts as inline SVG: no script, no font and no request when the page is opened."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl
import vl_convert

# Two hues that differ in lightness as well, so that they hold in grey and for colour-blind readers.
COLOURS = {"Record supports, not billed": "#0b5c8a", "Billed beyond the record": "#c8672b"}


def gap_by_year(capture: list[dict[str, Any]]) -> str:
    """Dollars a year that the record supports and nobody billed, and dollars billed beyond the record, as an SVG.

    `capture`: rows of rpt_capture_by_year; hidden cells are left out. Returns "" when nothing can be drawn.
    """
    rows = []
    for row in capture:
        if row["gap_usd"] is None or row["gap_usd"] == 0:
            continue
        kind = "Record supports, not billed" if row["gap_usd"] > 0 else "Billed beyond the record"
        rows.append({"year": str(row["service_year"]), "kind": kind, "dollars": float(row["gap_usd"])})
    if not rows:
        return ""
    data = pl.DataFrame(rows).group_by("year", "kind").agg(pl.col("dollars").sum()).sort("year", "kind")
    chart = (
        alt.Chart(alt.Data(values=data.to_dicts()), width=520, height=220)
        .mark_bar()
        .encode(
            x=alt.X("year:N", title="Calendar year", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("dollars:Q", title="US dollars, national amounts"),
            xOffset="kind:N",
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())),
                legend=alt.Legend(orient="top"),
            ),
        )
        .configure(font="sans-serif")
    )
    return str(vl_convert.vegalite_to_svg(chart.to_json()))
