"""Impact: what an evaluation found of care management's effect, where one was made; else how to make one."""

from __future__ import annotations

import json
import re
from typing import Any

import polars as pl

from pipelines.publish.charts import study as charts
from pipelines.publish.formatting import sentence
from pipelines.publish.sources import Row, Sources

# A term of an event study ends in its month relative to the start: `event_-3`, `lead_3`, `lag_0`, `t+5`.
RELATIVE = re.compile(r"(?P<sign>lead_|m|-|\+)?(?P<months>\d+)$")


def view(sources: Sources) -> dict[str, Any]:
    path = sources.settings.tables / "impact_estimates.parquet"
    rows = pl.read_parquet(path).to_dicts() if path.exists() else []
    for row in rows:
        row["label"] = sentence(str(row["group_value"] or "everybody"))
        row["relative"] = relative(str(row["term"]))
    return {"estimates": rows, "studies": studies(rows)}


def studies(rows: list[Row]) -> list[Row]:
    """Estimates by design and outcome with their charts."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["design"], row["outcome"]), []).append(row)
    return [
        {
            "design": design,
            "outcome": outcome,
            "rows": mine,
            "event_chart": charts.event_study(
                [row for row in mine if row["relative"] is not None and row["label"] == "Everybody"],
                sentence(outcome).lower(),
            ),
            "forest_chart": charts.forest(
                [row for row in mine if row["relative"] is None], sentence(outcome).lower()
            ),
            "diagnostics": diagnostics(mine),
        }
        for (design, outcome), mine in found.items()
    ]


def relative(term: str) -> int | None:
    """Months since the start that a term stands for, negative before it; None for an overall effect."""
    match = RELATIVE.search(term)
    if match is None:
        return None
    months = int(match["months"])
    return -months if match["sign"] in ("lead_", "m", "-") else months


def diagnostics(rows: list[Row]) -> dict[str, Any]:
    """The first row's diagnostics, from JSON where they are text."""
    for row in rows:
        told = row.get("diagnostics")
        if isinstance(told, str):
            try:
                told = json.loads(told)
            except ValueError:
                told = {"note": told}
        if isinstance(told, dict):
            return told
    return {}
