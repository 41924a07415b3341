"""The month at a glance, what changed since the month before, and the way from enrolled to paid."""

from __future__ import annotations

from typing import Any

from pipelines.publish.charts import capture as charts
from pipelines.publish.sources import Row, Sources, by_period
from pipelines.publish.vocabulary import STATES


def view(sources: Sources) -> dict[str, Any]:
    months = by_period(sources.capture, "service_month")
    years = sources.rows("select * from reports.rpt_capture_by_year order by service_year desc, state_order")
    funnel = sources.rows("select * from reports.rpt_funnel order by period, step")
    return {
        "last": months[0] if months else None,
        "before": months[1] if len(months) > 1 else None,
        "year": next(iter(by_period(years, "service_year")), None),
        "changes": changes(months[0], months[1]) if len(months) > 1 else [],
        "findings_total": sources.rows("select * from reports.rpt_findings_total"),
        "periods": {name: [row for row in funnel if row["period"] == name] for name in ("month", "window")},
        "unserved_chart": charts.unserved_by_month(sources.capture),
    }


def changes(now: Row, before: Row) -> list[Row]:
    """A row a capture state: people and dollars in the last month, the month before, and the difference of shown numbers, where both
    are of one publication."""
    found = []
    for state, (label, _) in STATES.items():
        one, other = (month["cells"].get(state) for month in (now, before))
        row: Row = {"state": state, "label": label, "now": one, "before": other}
        for column, change in (("people", "people_change"), ("gap_usd", "gap_change")):
            values = [cell[column] if cell else 0 for cell in (one, other)]
            days = {cell["held_from"] for cell in (one, other) if cell}
            row[change] = None if None in values or len(days) > 1 else values[0] - values[1]
        found.append(row)
    return found
