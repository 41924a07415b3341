"""Charts of reach by group: rates and gaps with their intervals, years, funnels, places."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.disparity.places import NOWHERE, THREE_SIGMA, TWO_SIGMA, control_limits
from pipelines.publish.charts.style import (
    BLUE,
    COLOURS,
    GREY,
    INK,
    ORANGE,
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
OUTSIDE = {"above": "above the limits", "within": "within the limits", "below": "below the limits"}
BY_POSITION: dict[str, Any] = {
    "field": "out",
    "type": "nominal",
    "title": None,
    "scale": {"domain": list(OUTSIDE.values()), "range": [ORANGE, GREY, BLUE]},
    "legend": {"orient": "top"},
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


def funnel_plot(rows: list[dict[str, Any]], title: str) -> str:
    """Rate by number of people, one dot a place, in control limits around everybody (rows of disparity_places of one year and kind)."""
    drawn = [row for row in rows if row["upper_3"] is not None]
    if not drawn:
        return ""
    dots = {
        "data": data([{"people": row["denominator"], "rate": row["rate"], "out": OUTSIDE[row["position"]]} for row in drawn]),
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.9},
        "encoding": {
            "x": {"field": "people", "type": "quantitative"},
            "y": {"field": "rate", "type": "quantitative"},
            "color": BY_POSITION,
            "shape": {
                "field": "out",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(OUTSIDE.values()), "range": ["triangle-up", "circle", "triangle-down"]},
            },
        },
    }  # fmt: skip
    people = np.unique(np.geomspace(5, max(row["denominator"] for row in drawn), 120).round())
    centre = drawn[0]["centre"]
    lines = [
        {
            "data": data(
                [
                    {"people": float(n), "rate": float(rate)}
                    for n, rate in zip(people, bound, strict=True)
                ]
            ),
            "mark": {"type": "line", "color": INK, "strokeWidth": 1, "strokeDash": dash, "interpolate": "monotone"},
            "encoding": {
                "x": amount("people", "People eligible"),
                "y": amount("rate", title, axis=PERCENT, scale={"domainMin": 0}),
            },
        }
        for coverage, dash in ((TWO_SIGMA, [2, 3]), (THREE_SIGMA, [1, 0]))
        for bound in control_limits(centre, people, coverage)
    ]  # fmt: skip
    return svg({"width": 420, "height": 260, "layer": [*lines, rule_at("y", centre), dots]})


def counties(rows: list[dict[str, Any]], title: str) -> str:
    """Rate of each county in a panel a state, within the limits of its size; a hidden county is a hatched mark without a rate."""
    by_state = [row for row in rows if row["within"] is not None and row["place"] not in NOWHERE.values()]
    shown = [row for row in by_state if row["upper_3"] is not None]
    if not shown:
        return ""
    order = {"y": names("place"), "x": amount("rate", title, axis={"format": ".1~%", "tickCount": 4})}
    values = [
        {
            **{name: row[name] for name in ("within", "place", "rate", "lower_3", "upper_3")},
            "out": OUTSIDE.get(row["position"], "hidden"),
            "at": 0.0 if row["upper_3"] is None else None,
        }
        for row in by_state
    ]
    return svg(
        {
            "data": data(values),
            "facet": {"field": "within", "type": "nominal", "title": None},
            "columns": 4,
            "spec": {
                "width": 140,
                "height": {"step": 16},
                "encoding": {"y": order["y"]},
                "layer": [
                    {
                        "transform": [{"filter": "datum.upper_3 !== null"}],
                        "mark": {"type": "bar", "color": "#dde4ea", "height": 10},
                        "encoding": {"x": amount("lower_3", title, axis=order["x"]["axis"]), "x2": {"field": "upper_3"}},
                    },
                    {
                        "transform": [{"filter": "datum.upper_3 !== null"}],
                        "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
                        "encoding": {
                            "x": {"field": "rate", "type": "quantitative"},
                            "color": BY_POSITION,
                        },
                    },
                    {
                        "transform": [{"filter": "datum.at !== null"}],
                        "mark": {"type": "text", "text": "//// hidden", "align": "left", "color": GREY, "fontSize": 10},
                        "encoding": {"x": {"field": "at", "type": "quantitative"}},
                    },
                ],
            },
            "resolve": {"scale": {"y": "independent"}},
        }
    )  # fmt: skip


def has_interval(row: dict[str, Any]) -> bool:
    """Whether a row may be drawn: shown, with an interval, and of enough people for it to say something."""
    return row["rate"] is not None and row["lower"] is not None and row["denominator"] >= FEWEST


def of(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in SHOWN}
