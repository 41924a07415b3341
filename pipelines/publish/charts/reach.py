"""Charts of reach by group: rates and gaps with their intervals, years, funnels, places."""

from __future__ import annotations

from typing import Any

from pipelines.publish.charts.style import (
    BLUE,
    COLOURS,
    INK,
    PERCENT,
    SHAPES,
    Spec,
    amount,
    data,
    hollow,
    intervals,
    names,
    rule_at,
    svg,
)

STEPS = {
    "reached_eligible": "Eligible, of enrolled",
    "reached_consented": "Consent, of eligible",
    "uptake": "Paid for, of eligible",
    "reached_lasting": "Three paid months, of paid for",
}
SHOWN = ("rate", "lower", "upper")
FREE = {"zero": False}
FEWEST = 30  # NCHS data presentation standards for proportions: below it an interval says little and stretches the axis


def rates(rows: list[dict[str, Any]], title: str) -> str:
    """One dot a group with its 95 % interval; the rate of everybody as a dashed line."""
    values = [{"group": row["full_label"], **of(row)} for row in rows if has_interval(row)]
    if not values:
        return ""
    everybody = next((row["rate"] for row in rows if row["group_kind"] == "everybody"), None)
    low = amount("lower", f"{title}, 95 % interval", axis=PERCENT, scale=FREE)
    dots = {
        "data": data(values),
        "encoding": {"y": names("group")},
        "layer": intervals("x", low, "upper", "rate"),
    }
    line = [] if everybody is None else [rule_at("x", everybody)]
    return svg({"width": 420, "height": {"step": 22}, "layer": [dots, *line]})


def gaps(rows: list[dict[str, Any]]) -> str:
    """Difference to the reference group in percentage points, with its 95 % interval; filled where meaningful."""
    values = [
        {
            "group": row["full_label"],
            **{name: 100 * row[name] for name in ("gap", "gap_lower", "gap_upper")},
            "real": "yes" if row["is_meaningful"] else "no",
        }
        for row in rows
        if row["gap"] is not None and row["gap_lower"] is not None and row["denominator"] >= FEWEST
    ]
    if not values:
        return ""
    low = amount("gap_lower", "Difference to the reference group, percentage points (95 % interval)")
    line, dot = intervals("x", low, "gap_upper", "gap")
    dot["mark"] |= {"stroke": BLUE, "strokeWidth": 1.5}
    dot["encoding"]["fill"] = hollow("real", "Meaningful", "yes", "no")
    dots = {"data": data(values), "encoding": {"y": names("group")}, "layer": [line, dot]}
    return svg({"width": 420, "height": {"step": 22}, "layer": [rule_at("x", 0), dots]})


def over_years(rows: list[dict[str, Any]], title: str) -> str:
    """Rates of the groups of one kind by year with their intervals."""
    values = [{"group": row["label"], "year": row["period"], **of(row)} for row in rows if has_interval(row)]
    if len({value["year"] for value in values}) < 2:
        return ""
    groups = list(dict.fromkeys(value["group"] for value in values))
    # a year that is hidden for all groups keeps its place
    years = list(range(min(value["year"] for value in values), max(value["year"] for value in values) + 1))
    beside = {"field": "group", "type": "nominal", "sort": groups}
    legend = {"orient": "top", "columns": 3}

    def by_group(scale: list[str]) -> Spec:
        return {
            **beside,
            "title": None,
            "scale": {"domain": groups, "range": scale[: len(groups)]},
            "legend": legend,
        }

    return svg(
        {
            "width": 400,
            "height": 230,
            "data": data(values),
            "encoding": {
                "x": {
                    "field": "year",
                    "type": "ordinal",
                    "title": "Calendar year",
                    "axis": {"labelAngle": 0},
                    "scale": {"domain": years},
                },
                "xOffset": beside,
                "color": by_group(COLOURS),
            },
            "layer": [
                {
                    "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.7},
                    "encoding": {
                        "y": amount("lower", f"{title}, 95 % interval", axis=PERCENT, scale=FREE),
                        "y2": {"field": "upper"},
                    },
                },
                {
                    "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
                    "encoding": {"y": {"field": "rate", "type": "quantitative"}, "shape": by_group(SHAPES)},
                },
            ],
        }
    )


def funnel(rows: list[dict[str, Any]]) -> str:
    """The steps from enrolled to lasting care management by group, each of the step before, as small multiples."""
    values = [
        {"group": row["label"], "step": STEPS[row["measure"]], **of(row)}
        for row in rows
        if row["measure"] in STEPS and has_interval(row)
    ]
    if not values:
        return ""
    groups = list(dict.fromkeys(value["group"] for value in values))
    low = amount("lower", "Share of the step before", axis={"format": ".1~%", "tickCount": 4}, scale=FREE)
    return svg(
        {
            "data": data(values),
            "facet": {"field": "step", "type": "nominal", "title": None, "sort": list(STEPS.values())},
            "columns": 2,
            "spec": {
                "width": 190,
                "height": {"step": 20},
                "encoding": {"y": names("group", groups)},
                "layer": intervals("x", low, "upper", "rate"),
            },
            "resolve": {"scale": {"x": "independent"}},
        }
    )


def places(rows: list[dict[str, Any]], title: str) -> str:
    """Rates by place over years as small multiples, one panel a place; the dashed line is everybody in that year."""
    everybody = {row["period"]: row["rate"] for row in rows if row["group_kind"] == "everybody"}
    values = [
        {"place": row["label"], "year": row["period"], "all": everybody.get(row["period"]), **of(row)}
        for row in rows
        if row["group_kind"] != "everybody" and has_interval(row)
    ]
    if not values:
        return ""
    low = amount("lower", title, axis={"format": ".1~%", "tickCount": 3})
    dashed = {"type": "line", "color": INK, "strokeDash": [3, 2], "strokeWidth": 1}
    return svg(
        {
            "data": data(values),
            "facet": {"field": "place", "type": "nominal", "title": None},
            "columns": 6,
            "spec": {
                "width": 110,
                "height": 80,
                "encoding": {
                    "x": {
                        "field": "year",
                        "type": "ordinal",
                        "title": None,
                        "axis": {"labelAngle": 0, "labelOverlap": True},
                    }
                },
                "layer": [
                    {"mark": dashed, "encoding": {"y": amount("all", title)}},
                    *intervals("y", low, "upper", "rate"),
                ],
            },
        }
    )


def has_interval(row: dict[str, Any]) -> bool:
    """Whether a row may be drawn: shown, with an interval, and of enough people for it to say something."""
    return row["rate"] is not None and row["lower"] is not None and row["denominator"] >= FEWEST


def of(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in SHOWN}
