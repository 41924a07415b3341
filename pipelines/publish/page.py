"""The overview page: one self-contained file of aggregates, nothing person-level, nothing from the network."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from pipelines.publish import charts
from pipelines.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"

# Every capture state: its name on the page, and what it means.
STATES = {
    "not_eligible": (
        "Not eligible",
        "At least one criterion of eligibility fails on claims, and nobody billed.",
    ),
    "eligibility_not_assessable": (
        "Eligibility cannot be assessed",
        "Nothing fails, but too little is visible to say (most often: too few months of claims).",
    ),
    "eligible_not_served": (
        "Eligible, served by nobody",
        "Eligible on claims; no care-management time recorded and no bill.",
    ),
    "served_below_threshold": (
        "Served, below the first threshold",
        "Time was recorded, but fewer minutes than the first code needs.",
    ),
    "billable_not_billed": (
        "Supported, not billed",
        "The record supports a code and nobody billed the month.",
    ),
    "billed_below_record": (
        "Billed below the record",
        "Billed, but the record supports more units than were billed.",
    ),
    "billed_as_supported": ("Billed as supported", "Billed exactly what the record supports."),
    "billed_beyond_record": (
        "Billed beyond the record",
        "Billed more units, or another code, than the record supports.",
    ),
    "billed_record_missing": (
        "Billed, no record",
        "Billed, and no care-management time is on record for the practitioner and month.",
    ),
}
STATUSES = {
    "fail": "Fail",
    "pass": "Pass",
    "cannot_assess": "Cannot assess",
    "not_applicable": "Not applicable",
}
HIDDEN = Markup(
    '<span class="hidden" title="A small number, or one that would give a small number away">hidden</span>'
)

QUERIES = {
    "loads": "select * from reports.rpt_load_summary order by received_date, batch_id, source_file",
    "quarantine": "select * from reports.quarantine_summary order by batch_id, table_name, reason",
    "funnel": "select * from reports.rpt_funnel order by period, step",
    "attrition": "select * from reports.rpt_eligibility_attrition order by period, criterion_order",
    "capture": "select * from reports.rpt_capture_by_month order by service_month desc, state_order",
    "years": "select * from reports.rpt_capture_by_year order by service_year desc, state_order",
    "flags": "select * from reports.rpt_flags_by_rule order by rule_id, status",
    "findings_total": "select * from reports.rpt_findings_total",
    "conditions": "select * from reports.rpt_condition_prevalence order by share desc nulls last, condition",
    "reach": "select * from reports.disparity_measures order by measure, period desc, group_kind, group_value",
    "catalogue": "select * from flags.rule_catalogue order by rule_id",
}


def build(settings: Settings, window: Any, outcomes: Sequence[Any]) -> Path:
    """Write `reports/index.html` from the report tables (read-only) and the run's expectation outcomes; returns its path.

    `window` has `as_of` and `through` (dates). Every number is read from a `rpt_` table, `quarantine_summary` or `outcomes`;
    hidden cells stay hidden.
    """
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        view = {name: rows(con, query) for name, query in QUERIES.items()}
    text = render(view, window, outcomes, run_facts())
    settings.reports.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.reports / "index.html"
    fresh = path.with_suffix(".incoming")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return path


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """One query's rows, by column name."""
    found = con.execute(sql)
    columns = [item[0] for item in found.description or []]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def render(view: dict[str, list[dict[str, Any]]], window: Any, outcomes: Sequence[Any], facts: Any) -> str:
    """The page's text from rows of the report tables (keys as in `QUERIES`), expectation outcomes and run facts."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html", "j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, dollars=dollars, percent=percent, points=points, sentence=sentence
    )
    months = by_period(view["capture"], "service_month")
    years = by_period(view["years"], "service_year")
    return environment.get_template("index.html.j2").render(
        window=window,
        states=STATES,
        statuses=STATUSES,
        months=months,
        capture_years=years,
        periods={period: of_period(view["funnel"], period) for period in ("month", "window")},
        dropouts={period: of_period(view["attrition"], period) for period in ("month", "window")},
        rules=rules(view["catalogue"], view["flags"]),
        **reach(view["reach"]),
        quality=quality(outcomes),
        facts=facts,
        unserved_chart=Markup(charts.unserved_by_month(view["capture"])),  # noqa: S704 - our own SVG of numbers
        gap_chart=Markup(charts.gap_by_year(view["years"])),  # noqa: S704
        **{name: view[name] for name in ("loads", "quarantine", "findings_total", "conditions")},
    )


def run_facts() -> dict[str, str]:
    """What was run: policy, code and tool versions."""
    from importlib.metadata import version

    from pipelines.run import TOOLS, code_version, policy_version

    return {
        "policy": policy_version(),
        "code": code_version()[:12],
        **{tool: version(tool) for tool in TOOLS},
    }


def number(value: Any) -> Any:
    """A count with thousands separators; a hidden one as a mark, never as 0."""
    return HIDDEN if value is None else f"{value:,}"


def dollars(value: Decimal | None) -> Any:
    """US dollars and cents; a negative amount with its sign before the dollar sign."""
    if value is None:
        return HIDDEN
    return f"-${-value:,.2f}" if value < 0 else f"${value:,.2f}"


def percent(value: float | None) -> Any:
    """A share of 0 to 1 in percent with one decimal."""
    return HIDDEN if value is None else f"{100 * value:.1f}%"


def points(value: float | None) -> Any:
    """A difference of shares in percentage points with its sign; empty where there is none to state."""
    return "" if value is None else f"{100 * value:+.1f}"


def sentence(name: str) -> str:
    """`not_institutionalised_all_month` as words, with a capital."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def of_period(table: list[dict[str, Any]], period: str) -> list[dict[str, Any]]:
    return [row for row in table if row["period"] == period]


def by_period(capture: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """Capture cells by month or year, in their order: state -> cell; a state without people is absent."""
    found: dict[Any, dict[str, Any]] = {}
    for row in capture:
        one = found.setdefault(
            row[column],
            {
                "period": row[column],
                "people": row.get("people_in_month"),
                "run_out_state": row.get("run_out_state"),
                "cells": {},
            },
        )
        one["cells"][row["state"]] = row
    return list(found.values())


def rules(catalogue: list[dict[str, Any]], flags: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every rule of the catalogue with its cell of each status; a status without subjects is absent."""
    found: dict[str, dict[str, Any]] = {rule["rule_id"]: {**rule, "cells": {}} for rule in catalogue}
    for row in flags:
        found[row["rule_id"]]["cells"][row["status"]] = row
    return [found[key] for key in sorted(found)]


def reach(measures: list[dict[str, Any]]) -> dict[str, Any]:
    """Uptake by group in the last year (`uptake`; states left to the published table), and all years of each group."""
    rows = [row for row in measures if row["measure"] == "uptake" and row["group_kind"] != "state"]
    years = sorted({row["period"] for row in rows}, reverse=True)
    rows.sort(key=lambda row: (row["group_kind"] != "everybody", row["group_kind"], row["group_value"]))
    by_year: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for row in rows:
        by_year.setdefault((row["group_kind"], row["group_value"]), {})[row["period"]] = row
    return {
        "uptake": [row for row in rows if years and row["period"] == years[0]],
        "uptake_years": years,
        "uptake_by_year": by_year,
    }


def quality(outcomes: Sequence[Any]) -> list[dict[str, Any]]:
    """Expectation outcomes by suite: all of them, and the failed ones."""
    found = []
    for suite in dict.fromkeys(outcome.suite for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.suite == suite]
        failed = [outcome for outcome in mine if not outcome.success]
        found.append({"suite": suite, "table": mine[0].table, "outcomes": mine, "failed": failed})
    return found
