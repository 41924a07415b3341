"""The capture gap: people and dollars in each state by month and year, and where people leave on the way to eligibility."""

from __future__ import annotations

from typing import Any

from pipelines.publish.charts import capture as charts
from pipelines.publish.sources import Sources, by_period


def view(sources: Sources) -> dict[str, Any]:
    years = sources.rows("select * from reports.rpt_capture_by_year order by service_year desc, state_order")
    attrition = sources.rows(
        "select * from reports.rpt_eligibility_attrition order by period, criterion_order"
    )
    conditions = sources.rows(
        "select * from reports.rpt_condition_prevalence order by share desc nulls last, condition"
    )
    return {
        "cells": sources.capture,
        "years": years,
        "months": by_period(sources.capture, "service_month"),
        "capture_years": by_period(years, "service_year"),
        "dropouts": {
            name: [row for row in attrition if row["period"] == name] for name in ("month", "window")
        },
        "conditions": conditions,
        "base_people": next((row["base_people"] for row in conditions if row["held_from"] is None), None),
        "month_chart": charts.gap_by_month(sources.capture),
        "year_chart": charts.gap_by_year(years),
        "unserved_chart": charts.unserved_by_month(sources.capture),
    }
