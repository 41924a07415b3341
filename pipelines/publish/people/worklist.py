"""The worklist as a page, with what changed since the month before. Person-level."""

from __future__ import annotations

from typing import Any

import polars as pl

from pipelines.publish import worklist_changes
from pipelines.publish.grid import Column, Filter, Grid
from pipelines.publish.sources import Sources
from pipelines.publish.worklist import with_notes

PERSON = Column("beneficiary_id", "Person", link="person.html#beneficiary_id={}")


def view(sources: Sources) -> dict[str, Any]:
    rows = with_notes(
        sources.settings, sources.frame("select * from reports.worklist order by practice_id, rank")
    ).with_columns(
        ask=pl.when("is_asked_now").then(pl.lit("now")).otherwise(pl.lit("later")),
        stands_out=pl.col("reason").str.split("; "),
        moved=pl.when("is_moved_up")
        .then(pl.lit("yes, for its group's share of need"))
        .otherwise(pl.lit("no")),
    )
    columns = [
        Column("rank", "Rank", "number"),
        PERSON,
        Column("ask", "Ask"),
        Column("status", "Status"),
        Column("stands_out", "Stands out by", "list", lines=True),
        Column("reasons", "Why on the list", "list", lines=True, place="detail"),
        Column("conditions", "Conditions", "list", place="detail"),
        Column("last_visit_date", "Last visit", "date"),
        Column("missing_to_start", "Missing to start", "list"),
        Column("expected_monthly_usd", "Expected a month (estimated)", "dollars"),
        Column("score", "Need", "percent"),
        Column("practitioner_npi", "Practitioner"),
        Column("practice_id", "Practice"),
        Column(
            "likely_to_start",
            "Likely to start within half a year (never ranked by)",
            "percent",
            place="detail",
        ),
        Column("moved", "Asked earlier than by need alone", place="detail"),
        Column("recent_stays", "Stays in half a year", "number", place="detail"),
        Column("recent_emergency_visits", "Emergency visits in half a year", "number", place="detail"),
        Column("condition_count", "Number of conditions", "number", place="detail"),
        Column("note", "Notes", place="detail"),
    ]
    filters = [
        Filter("practice_id", "Practice"),
        Filter("ask", "Ask"),
        Filter("practitioner_npi", "Practitioner"),
        Filter("missing_to_start", "Missing to start"),
        Filter("conditions", "Condition"),
        Filter("beneficiary_id", "Person", "contains"),
        Filter("status", "Status"),
    ]
    grids = [
        Grid(
            "worklist", "People to ask, by practice and rank", columns, filters, rows, empty="Nobody matches."
        ),
    ]
    if sources.has("reports_internal.int_not_to_contact"):
        grids.append(changes(sources))
    return {
        "grids": grids,
        "practices": rows["practice_id"].n_unique(),
        "basis": sources.rows("select target, says from reports.outreach_basis where target = 'need'"),
    }


def changes(sources: Sources) -> Grid:
    return Grid(
        "changes",
        "Who came, started, lapsed or left since the month before",
        [
            Column(
                "change",
                "Change",
                words=worklist_changes.NAMES,
            ),
            PERSON,
            Column("reason", "Why"),
            Column("practice_id", "Practice"),
            Column("practitioner_npi", "Practitioner"),
        ],
        [
            Filter("change", "Change"),
            Filter("reason", "Why"),
            Filter("practice_id", "Practice"),
            Filter("beneficiary_id", "Person", "contains"),
        ],
        worklist_changes.changes(sources.con),
        empty="Nobody matches.",
    )
