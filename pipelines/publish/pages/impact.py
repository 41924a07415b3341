"""Impact: what evaluations found of care management's effect, where any was made; else how to make one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.publish.charts import study as charts
from pipelines.publish.formatting import sentence
from pipelines.publish.sources import Row, Sources

EVERYBODY = "everybody"
# The overall effect of a design, and the prefix of its effects by time around the start.
OVERALL = "att"
DRAWN = 16  # subgroups that a chart still tells apart


def view(sources: Sources) -> dict[str, Any]:
    folders = sorted((sources.settings.out / "studies").glob("*/tables/impact_estimates.parquet"))
    return {"studies": [study(path) for path in folders if not path.parent.parent.name.endswith(".incoming")]}


def study(path: Path) -> Row:
    """One evaluation: its estimates by design and outcome with their charts, and the balance of its groups."""
    folder = path.parent.parent
    rows = [readable(row) for row in pl.read_parquet(path).to_dicts()]
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["design"], row["outcome"]), []).append(row)
    return {
        "name": folder.name,
        "facts": facts(folder / "study.json"),
        "balance_chart": charts.balance(balance(path.with_name("balance.parquet"))),
        "parts": [
            {
                "design": design,
                "outcome": outcome,
                "rows": mine,
                "event_chart": charts.event_study(
                    [row for row in mine if row["when"] is not None and row["label"] == "Everybody"],
                    sentence(outcome).lower(),
                ),
                "forest_chart": charts.forest(
                    [row for row in mine if row["term"] == OVERALL][:DRAWN], sentence(outcome).lower()
                ),
            }
            for (design, outcome), mine in found.items()
        ],
    }


def readable(row: Row) -> Row:
    """The row with a label for its group, the time it is about, and its diagnostics as values."""
    try:
        told = json.loads(row.get("diagnostics") or "{}")
    except ValueError:
        told = {}
    value = str(row.get("group_value") or EVERYBODY)
    kind = str(row.get("group_kind") or value)
    label = "Everybody" if EVERYBODY in (kind, value) else f"{sentence(kind)}: {sentence(value).lower()}"
    when = next((told[unit] for unit in ("quarter", "month", "period") if told.get(unit) is not None), None)
    return {**row, "label": label, "when": when}


def balance(path: Path) -> list[Row]:
    """A row a characteristic with its standardised difference before and after; hidden ones left out."""
    if not path.exists():
        return []
    return [
        {
            "covariate": " ".join(part for part in (sentence(row["covariate"]), row["level"]) if part),
            "before": row["smd_before"],
            "after": row["smd"],
        }
        for row in pl.read_parquet(path).to_dicts()
        if not row["is_suppressed"]
    ]


def facts(path: Path) -> Row:
    """What the evaluation says of itself: question and dates, where it wrote them."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
