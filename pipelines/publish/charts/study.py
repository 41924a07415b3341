"""Charts of an evaluation: event study, balance before and after matching, effects by subgroup."""

from __future__ import annotations

from typing import Any

from pipelines.publish.charts.style import BLUE, GREY, ORANGE, amount, data, intervals, names, rule_at, svg

# The usual line above which a covariate counts as out of balance.
ALIKE = 0.1


def event_study(rows: list[dict[str, Any]], unit: str) -> str:
    """Estimate by month before and after the start, with 95 % intervals; the months before should lie on zero."""
    values = [
        {name: row[name] for name in ("when", "estimate", "lower", "upper")}
        for row in rows
        if row["estimate"] is not None
    ]
    if len(values) < 2:
        return ""
    low = amount("lower", f"Effect, {unit} (95 % interval)")
    dots = {
        "data": data(values),
        "encoding": {
            "x": amount("when", "Quarters since the start of care management", axis={"tickMinStep": 1})
        },
        "layer": intervals("y", low, "upper", "estimate"),
    }
    return svg({"width": 520, "height": 240, "layer": [rule_at("y", 0), rule_at("x", -0.5, ORANGE), dots]})


def balance(rows: list[dict[str, Any]]) -> str:
    """Standardised differences of covariates before and after, with the usual line at 0.1."""
    values = [
        {"covariate": row["covariate"], "when": when, "difference": abs(row[when])}
        for row in rows
        for when in ("before", "after")
        if row.get(when) is not None
    ]
    if not values:
        return ""
    when = {"field": "when", "type": "nominal", "title": "Matching or weighting", "legend": {"orient": "top"}}
    domain = ["before", "after"]
    dots = {
        "data": data(values),
        "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
        "encoding": {
            "y": names("covariate", [row["covariate"] for row in rows]),
            "x": amount("difference", "Standardised difference, absolute"),
            "color": {**when, "scale": {"domain": domain, "range": [GREY, BLUE]}},
            "shape": {**when, "scale": {"domain": domain, "range": ["square", "circle"]}},
        },
    }
    return svg({"width": 420, "height": {"step": 18}, "layer": [rule_at("x", ALIKE), dots]})


def forest(rows: list[dict[str, Any]], unit: str) -> str:
    """One effect a subgroup with its 95 % interval."""
    values = [
        {name: row[name] for name in ("label", "estimate", "lower", "upper")}
        for row in rows
        if row["estimate"] is not None and row["lower"] is not None
    ]
    if not values:
        return ""
    low = amount("lower", f"Effect, {unit} (95 % interval)")
    dots = {
        "data": data(values),
        "encoding": {"y": names("label")},
        "layer": intervals("x", low, "upper", "estimate"),
    }
    return svg({"width": 420, "height": {"step": 22}, "layer": [rule_at("x", 0), dots]})
