"""The reliability chart: what was foretold against what came, in tenths of people."""

from __future__ import annotations

from typing import Any

from pipelines.publish.charts.style import PERCENT, amount, data, intervals, svg


def reliability(rows: list[dict[str, Any]]) -> str:
    """One dot a tenth with its 99 % interval; on the line, what was foretold came. Hidden tenths are left out."""
    values = [
        {
            "foretold": row["expected"],
            "came": row["counted"] / row["people"],
            "lower": row["lower"] * row["expected"],
            "upper": row["upper"] * row["expected"],
        }
        for row in rows
        if row["counted"] is not None
    ]
    if not values:
        return ""
    most = max(value["upper"] for value in values)
    line = {
        "data": data([{"foretold": 0.0, "came": 0.0}, {"foretold": most, "came": most}]),
        "mark": {"type": "line", "strokeDash": [4, 3], "color": "#6b7683"},
        "encoding": {
            "x": {"field": "foretold", "type": "quantitative"},
            "y": {"field": "came", "type": "quantitative"},
        },
    }
    dots = {
        "data": data(values),
        "encoding": {"x": amount("foretold", "Foretold", axis=PERCENT)},
        "layer": intervals("y", amount("lower", "Came, 99 % interval", axis=PERCENT), "upper", "came"),
    }
    return svg({"width": 420, "height": 300, "layer": [line, dots]})
