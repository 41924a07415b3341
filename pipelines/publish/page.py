"""The overview page: one self-contained file of aggregates, nothing person-level, nothing from the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, FileSystemLoader, select_autoescape

from pipelines.publish import charts
from pipelines.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"

STATES = {
    "eligible_not_served": "Eligible, served by nobody",
    "served_below_threshold": "Served, below the first threshold",
    "billable_not_billed": "Record supports a bill, none sent",
    "billed_below_record": "Billed below the record",
    "billed_as_supported": "Billed as the record supports",
    "billed_beyond_record": "Billed beyond the record",
    "billed_record_missing": "Billed, no record",
    "not_eligible": "Not eligible",
    "eligibility_not_assessable": "Eligibility cannot be assessed",
}


@dataclass(frozen=True)
class Rows:
    """One query's rows, by column name."""

    columns: list[str]
    rows: list[dict[str, Any]]


def query(con: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    found = con.execute(sql)
    columns = [item[0] for item in found.description or []]
    return Rows(columns, [dict(zip(columns, row, strict=True)) for row in found.fetchall()])


def build(settings: Settings, window: Any, outcomes: Sequence[Any]) -> Path:
    """Write `reports/index.html` from the report tables (read-only) and the run's expectation outcomes; returns its path.

    Every number on it is read from a `rpt_` table, `quarantine_summary` or `outcomes`; hidden cells stay hidden.
    """
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        view = {
            "loads": query(
                con, "select * from reports.rpt_load_summary order by received_date, batch_id, source_file"
            ),
            "quarantine": query(
                con,
                "select table_name, reason, sum(rows)::bigint as rows from reports.quarantine_summary"
                " group by all order by rows desc, table_name, reason",
            ),
            "funnel": query(con, "select * from reports.rpt_funnel order by period, step"),
            "capture": query(con, "select * from reports.rpt_capture_by_month order by service_month, state"),
            "years": query(
                con, "select * from reports.rpt_capture_by_year order by service_year desc, state"
            ),
            "flags": query(con, "select * from reports.rpt_flags_by_rule order by rule_id, status"),
            "attrition": query(
                con,
                "select * from reports.rpt_eligibility_attrition order by people desc nulls last, outcome",
            ),
        }
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, dollars=dollars, sentence=sentence)
    text = environment.get_template("index.html.j2").render(
        window=window,
        states=STATES,
        months=by_period(view["capture"], "service_month"),
        rules=rules(view["flags"]),
        quality=quality(outcomes),
        gap_chart=charts.gap_by_year(view["years"].rows),
        capture_years=by_period(view["years"], "service_year"),
        **view,
    )
    settings.reports.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.reports / "index.html"
    fresh = path.with_suffix(".incoming")
    fresh.write_text(text)
    fresh.replace(path)
    return path


def number(value: Any) -> str:
    """A count with thousands separators; a hidden one as a mark, never as 0."""
    return "hidden" if value is None else f"{value:,}"


def dollars(value: Any) -> str:
    return "hidden" if value is None else f"${value:,.2f}"


def sentence(name: str) -> str:
    """`not_institutionalised_all_month` as words."""
    return name.replace("_", " ")


def by_period(capture: Rows, period: str) -> list[dict[str, Any]]:
    """Capture cells by month or year, newest first: state -> cell; a state without people is absent."""
    found: dict[Any, dict[str, Any]] = {}
    for row in capture.rows:
        one = found.setdefault(
            row[period], {"period": row[period], "people": row.get("people_in_month"), "cells": {}}
        )
        one["cells"][row["state"]] = row
    return sorted(found.values(), key=lambda one: one["period"], reverse=True)


def rules(flags: Rows) -> list[dict[str, Any]]:
    """Flags by rule: what the rule is, and its cell of each status."""
    found: dict[str, dict[str, Any]] = {}
    for row in flags.rows:
        rule = found.setdefault(
            row["rule_id"],
            {key: row[key] for key in ("rule_id", "title", "severity", "certainty", "citation")}
            | {"cells": {}},
        )
        rule["cells"][row["status"]] = row
    return [found[key] for key in sorted(found)]


def quality(outcomes: Sequence[Any]) -> list[dict[str, Any]]:
    """Expectation outcomes by suite: how many, how many failed, and the failed ones."""
    found = []
    for suite in dict.fromkeys(outcome.suite for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.suite == suite]
        failed = [outcome for outcome in mine if not outcome.success]
        found.append({"suite": suite, "table": mine[0].table, "expectations": len(mine), "failed": failed})
    return found
