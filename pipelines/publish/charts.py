"""Charts as inline SVG: no script, no font and no request when the page is opened.

Every function takes rows of a report table, leaves hidden cells out, and returns "" when nothing can be drawn. A table with
the same figures always stands beside a chart, so charts are decoration to a screen reader.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import altair as alt
import vl_convert

# Hues that differ in lightness as well, so that they hold in grey and for colour-blind readers.
INK, BLUE, ORANGE, GREY = "#1c2733", "#0b5c8a", "#c8672b", "#8296a6"
GAP_KINDS = {
    "Supported, not billed": ("billable_not_billed", BLUE),
    "Billed below the record": ("billed_below_record", GREY),
    "Billed beyond the record": ("billed_beyond_record", ORANGE),
}


def unserved_by_month(capture: list[dict[str, Any]]) -> str:
    """People eligible and served by nobody, by month, from rpt_capture_by_month."""
    values = [
        {"month": _text(row["service_month"]), "people": row["people"]}
        for row in capture
        if row["state"] == "eligible_not_served" and row["people"] is not None
    ]
    if len(values) < 2:
        return ""
    chart = (
        alt.Chart(alt.Data(values=values), width=480, height=190)
        .mark_line(color=BLUE, strokeWidth=2, point=alt.OverlayMarkDef(color=BLUE, size=14))
        .encode(
            x=alt.X("month:T", title="Service month", axis=alt.Axis(format="%b %Y", tickCount=6)),
            y=alt.Y("people:Q", title="People", scale=alt.Scale(zero=True)),
        )
    )
    return _svg(chart)


def gap_by_year(years: list[dict[str, Any]]) -> str:
    """Dollars by calendar year between what the record supports and what was billed, from rpt_capture_by_year."""
    kinds = {state: kind for kind, (state, _) in GAP_KINDS.items()}
    values = [
        {"year": str(row["service_year"]), "kind": kinds[row["state"]], "dollars": float(row["gap_usd"])}
        for row in years
        if row["state"] in kinds and row["gap_usd"]
    ]
    if not values:
        return ""
    colours = alt.Scale(domain=list(GAP_KINDS), range=[colour for _, colour in GAP_KINDS.values()])
    chart = (
        alt.Chart(alt.Data(values=values), width=480, height=190)
        .mark_bar()
        .encode(
            x=alt.X("year:N", title="Calendar year", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("kind:N", sort=list(GAP_KINDS)),
            y=alt.Y("dollars:Q", title="US dollars", axis=alt.Axis(format="$,.0f")),
            color=alt.Color("kind:N", title=None, scale=colours, legend=alt.Legend(orient="top")),
        )
    )
    return _svg(chart)


def _text(month: date) -> str:
    return month.isoformat()


def _svg(chart: Any) -> str:
    styled = (
        chart.configure(font="Arial, Helvetica, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK, titleColor=INK, gridColor="#e4e9ed", titleFontWeight="normal", titlePadding=8
        )
        .configure_legend(labelColor=INK, labelLimit=0, columnPadding=24)
    )
    return str(vl_convert.vegalite_to_svg(styled.to_json()))
