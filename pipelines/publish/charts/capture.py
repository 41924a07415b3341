"""Charts of the capture gap: people by month, dollars by month and by year."""

from __future__ import annotations

from typing import Any

from pipelines.publish.charts.style import BLUE, GREY, ORANGE, Spec, amount, data, hollow, months, svg

GAP_KINDS = {
    "Supported, not billed": ("billable_not_billed", BLUE),
    "Billed below the record": ("billed_below_record", GREY),
    "Billed beyond the record": ("billed_beyond_record", ORANGE),
}
KIND_OF_STATE = {state: kind for kind, (state, _) in GAP_KINDS.items()}
SIZE = {"width": 480, "height": 210}


def unserved_by_month(capture: list[dict[str, Any]]) -> str:
    """People eligible and served by nobody, by month; months whose claims are still to come as hollow points."""
    values = [
        {
            "month": row["service_month"].isoformat(),
            "people": row["people"],
            "claims": "still to come" if row["run_out_state"] == "provisional" else "complete",
        }
        for row in capture
        if row["state"] == "eligible_not_served" and row["people"] is not None
    ]
    if len(values) < 2:
        return ""
    fill = hollow("claims", "Claims of the month", "complete", "still to come")
    point = {"type": "point", "size": 30, "filled": True, "opacity": 1, "stroke": BLUE, "strokeWidth": 1.5}
    return svg(
        {
            **SIZE,
            "data": data(values),
            "encoding": {"x": months(), "y": amount("people", "People", scale={"zero": True})},
            "layer": [
                {"mark": {"type": "line", "color": BLUE, "strokeWidth": 2}},
                {"mark": point, "encoding": {"fill": fill}},
            ],
        }
    )


def gap_by_month(capture: list[dict[str, Any]]) -> str:
    """Dollars a month between what the record supports and what was billed, one line a kind."""
    values = [
        {
            "month": row["service_month"].isoformat(),
            "kind": KIND_OF_STATE[row["state"]],
            "dollars": float(row["gap_usd"]),
        }
        for row in capture
        if row["state"] in KIND_OF_STATE and row["gap_usd"] is not None
    ]
    if len({value["month"] for value in values}) < 2:
        return ""
    return svg(
        {
            **SIZE,
            "data": data(values),
            "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 24}},
            "encoding": {
                "x": months(),
                "y": amount("dollars", "US dollars a month", axis={"format": "$,.0f"}),
                "color": kinds(),
            },
        }
    )


def gap_by_year(years: list[dict[str, Any]]) -> str:
    """Dollars by calendar year between what the record supports and what was billed, from rpt_capture_by_year."""
    values = [
        {
            "year": str(row["service_year"]),
            "kind": KIND_OF_STATE[row["state"]],
            "dollars": float(row["gap_usd"]),
        }
        for row in years
        if row["state"] in KIND_OF_STATE and row["gap_usd"]
    ]
    if not values:
        return ""
    return svg(
        {
            **SIZE,
            "data": data(values),
            "mark": "bar",
            "encoding": {
                "x": {
                    "field": "year",
                    "type": "nominal",
                    "title": "Calendar year",
                    "axis": {"labelAngle": 0},
                },
                "xOffset": {"field": "kind", "type": "nominal", "sort": list(GAP_KINDS)},
                "y": amount("dollars", "US dollars a year", axis={"format": "$,.0f"}),
                "color": kinds(),
            },
        }
    )


def kinds() -> Spec:
    colours = [colour for _, colour in GAP_KINDS.values()]
    scale = {"domain": list(GAP_KINDS), "range": colours}
    return {"field": "kind", "type": "nominal", "title": None, "scale": scale, "legend": {"orient": "top"}}
