"""A small warehouse with the page tables of a run as they are before they are closed: every number shown, also the small ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import duckdb

LIMIT = 10
EVER = 100_000  # people in any month, where a test says nothing of them
JAN, FEB = dt.date(2025, 1, 1), dt.date(2025, 2, 1)
STATES = ("not_eligible", "eligible_not_served", "billable_not_billed", "billed_as_supported")
LAST_STEPS = {**dict.fromkeys(STATES, 1), "billed_as_supported": 9}
# What the run counts, and its tables: `reports_internal` and `flags` before suppression.
SCHEMA = {
    "reports_internal.int_capture_cells": "service_month date, state varchar, last_step integer, people bigint, people_in_month bigint",
    "reports.rpt_capture_by_month": "service_month date, state varchar, people bigint, people_in_month bigint,"
    " gap_usd decimal(14,2), potential_usd decimal(14,2), billed_usd decimal(14,2), paid_usd decimal(14,2),"
    " is_suppressed boolean, held_from date, total_held_from date",
    "marts.capture_months": "beneficiary_id varchar, service_month date, state varchar, has_coverage_row boolean",
    "reports.rpt_capture_by_year": "service_year integer, state varchar, people bigint, gap_usd decimal(14,2),"
    " potential_usd decimal(14,2), billed_usd decimal(14,2), paid_usd decimal(14,2), is_suppressed boolean,"
    " dollars_are_suppressed boolean, held_from date, dollars_held_from date",
    "reports_internal.int_attrition_cells": "service_month date, state varchar, criterion varchar, criterion_order integer,"
    " people bigint",
    "reports.rpt_attrition_by_month": "service_month date, state varchar, criterion varchar, criterion_order integer,"
    " people bigint, is_suppressed boolean, held_from date",
    "reports_internal.int_funnel_counts": "chain varchar, step integer, step_code varchar, people bigint",
    "reports.rpt_funnel": "period varchar, step integer, step_code varchar, people bigint, dropped bigint, is_suppressed boolean,"
    " held_from date",
    "reports.rpt_eligibility_attrition": "period varchar, criterion_order integer, people_left bigint, people_dropped bigint,"
    " is_suppressed boolean, held_from date",
    "reports_internal.int_condition_cells": "definition varchar, condition varchar, people bigint",
    "reports.rpt_condition_prevalence": "definition varchar, condition varchar, people bigint, base_people bigint, share double,"
    " is_suppressed boolean, held_from date",
    "flags.rule_results": "rule_id varchar, status varchar, beneficiary_id varchar, subject_id varchar",
    "reports.rpt_flags_by_rule": "rule_id varchar, status varchar, subjects bigint, amount_usd decimal(14,2),"
    " is_suppressed boolean, held_from date",
    "flags.lines_at_fault": "beneficiary_id varchar",
    "reports.rpt_findings_total": "people bigint, claim_lines bigint, amount_usd decimal(14,2), not_supported_usd decimal(14,2),"
    " is_suppressed boolean, held_from date",
    "marts.fct_measure_counts": "period varchar, period_start date, group_kind varchar, group_value varchar",
    "reports.shown_measure_counts": "year bigint, group_kind varchar, group_value varchar, count varchar, value bigint",
}
Months = Mapping[Any, Mapping[str, int]]


def warehouse(
    months: Months,
    *,
    funnel: Mapping[str, list[tuple[str, int]]] | None = None,
    rules: Mapping[str, Mapping[str, int]] | None = None,
    conditions: Mapping[str, int] | None = None,
) -> duckdb.DuckDBPyConnection:
    """`months`: month -> state -> people. `funnel`: chain -> steps with their people, in order. `rules`: rule -> status -> people, each
    one subject. Every person of a state earns 60 dollars a month."""
    con = duckdb.connect()
    for schema in ("reports", "reports_internal", "marts", "flags"):
        con.execute(f"create schema {schema}")
    for table, columns in SCHEMA.items():
        con.execute(f"create table {table} ({columns})")
    for month, states in months.items():
        for state, people in states.items():
            con.execute(
                "insert into reports_internal.int_capture_cells values (?, ?, ?, ?, ?)",
                [month, state, LAST_STEPS[state], people, sum(states.values())],
            )
            con.execute(
                "insert into marts.capture_months select ? || range, ?, ?, true from range(?)",
                [state, month, state, people],
            )
    totals = {month: sum(states.values()) for month, states in months.items()}
    alone = {"month": [("enrolled", totals[max(totals)])], "window": [("enrolled", EVER)]}
    for chain, steps in (funnel or alone).items():
        for step, (code, people) in enumerate(steps, start=1):
            con.execute(
                "insert into reports_internal.int_funnel_counts values (?, ?, ?, ?)",
                [chain, step, code, people],
            )
    for rule, statuses in (rules or {}).items():
        for status, people in statuses.items():
            con.execute(
                "insert into flags.rule_results select ?, ?, ? || range, ? || range from range(?)",
                [rule, status, status, status, people],
            )
    for condition, people in (conditions or {}).items():
        con.execute(
            "insert into reports_internal.int_condition_cells values ('ccw', ?, ?)", [condition, people]
        )
    _show(con)
    return con


def _show(con: duckdb.DuckDBPyConnection) -> None:
    """The report tables, with every number in them."""
    dollars = "people * 60, people * 60, people * 60, people * 60"
    con.execute(
        "insert into reports.rpt_capture_by_month"
        f" select service_month, state, people, people_in_month, {dollars}, false, null, null from reports_internal.int_capture_cells"
    )
    con.execute(
        "insert into reports.rpt_capture_by_year"
        f" select year, state, people, {dollars.replace('people', 'months')}, false, false, null, null from ("
        " select year(service_month) as year, state, count(distinct beneficiary_id) as people, count(*) as months"
        " from marts.capture_months group by all)"
    )
    con.execute(
        "insert into reports.rpt_funnel select chain, step, step_code, people,"
        " lag(people) over (partition by chain order by step) - people, false, null from reports_internal.int_funnel_counts"
    )
    con.execute(
        "insert into reports.rpt_eligibility_attrition"
        " select period, step, people, dropped, is_suppressed, held_from from reports.rpt_funnel where step <= 4"
    )
    con.execute(
        "insert into reports.rpt_flags_by_rule select rule_id, status, count(*), case when status = 'fail' then 50 * count(*) end,"
        " false, null from flags.rule_results group by rule_id, status"
    )
    con.execute(
        "insert into reports.rpt_condition_prevalence select definition, condition, cells.people, base.people,"
        " cells.people / base.people, false, null from reports_internal.int_condition_cells as cells"
        " inner join reports_internal.int_funnel_counts as base on base.chain = 'month' and base.step_code = 'alive'"
    )
