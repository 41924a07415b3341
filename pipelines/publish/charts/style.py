"""One look for all charts, and the way from a Vega-Lite specification to SVG.

Specifications are written as the plain dictionaries that Vega-Lite reads: importing a library that writes them takes longer than
drawing every chart of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import vl_convert
from markupsafe import Markup

Spec = dict[str, Any]
Row = Mapping[str, Any]

# Hues that differ in lightness as well, so that they hold in grey and for colour-blind readers.
INK, BLUE, ORANGE, GREY, TEAL = "#1c2733", "#0b5c8a", "#c8672b", "#8296a6", "#4aa3a2"
COLOURS = [BLUE, ORANGE, TEAL, INK, GREY, "#7a5195", "#a05a2c", "#5c7a29"]
SHAPES = [
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-left",
    "triangle-right",
]
PERCENT = {"format": ".1~%"}
CONFIG = {
    "font": "Arial, Helvetica, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": "#e4e9ed",
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "legend": {"labelColor": INK, "titleColor": INK, "labelLimit": 0, "columnPadding": 24},
    "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 11},
}
# A reader's font can be wider than the one that text was measured with.
ROOM = {"left": 24, "right": 16, "top": 4, "bottom": 4}
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


def svg(spec: Spec) -> Markup:
    """The chart as an SVG element; the figure around it is what a screen reader names."""
    drawn = str(vl_convert.vegalite_to_svg({"$schema": SCHEMA, "config": CONFIG, "padding": ROOM, **spec}))
    return Markup(drawn.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1))  # noqa: S704 - our own SVG


def data(values: Sequence[Row]) -> Spec:
    return {"values": list(values)}


def months() -> Spec:
    return {
        "field": "month",
        "type": "temporal",
        "title": "Service month",
        "axis": {"format": "%b %Y", "tickCount": 6},
    }


def amount(field: str, title: str | None, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, **more}


def names(field: str, order: Sequence[str] | None = None, **more: Any) -> Spec:
    """Categories down the side, in the order of the rows unless one is given, none cut short."""
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "sort": order,
        "axis": {"labelLimit": 320},
        **more,
    }


def rule_at(axis: str, value: float, colour: str = INK) -> Spec:
    """A dashed line across the chart."""
    mark = {"type": "rule", "color": colour, "strokeDash": [4, 3]}
    return {"data": data([{}]), "mark": mark, "encoding": {axis: {"datum": value}}}


def intervals(along: str, low: Spec, high: str, middle: str, colour: str = BLUE) -> list[Spec]:
    """Two layers: a line from `low` to `high` and a dot at `middle`, along the x or the y axis."""
    return [
        {
            "mark": {"type": "rule", "color": colour, "strokeWidth": 2},
            "encoding": {along: low, f"{along}2": {"field": high}},
        },
        {
            "mark": {"type": "point", "color": colour, "filled": True, "size": 50, "opacity": 1},
            "encoding": {along: {"field": middle, "type": "quantitative"}},
        },
    ]


def hollow(field: str, title: str, filled: str, empty: str) -> Spec:
    """A fill that marks a minority of points by leaving them white."""
    return {
        "field": field,
        "type": "nominal",
        "title": title,
        "scale": {"domain": [filled, empty], "range": [BLUE, "#ffffff"]},
        "legend": {"orient": "top", "symbolStrokeColor": BLUE},
    }
