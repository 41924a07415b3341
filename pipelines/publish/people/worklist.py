"""The worklist as a page, with what changed since the month before. Person-level."""

from __future__ import annotations

from typing import Any

from pipelines.publish import worklist_changes
from pipelines.publish.grid import Column, Filter, Grid
from pipelines.publish.sources import Sources
from pipelines.publish.worklist import with_notes

PERSON = Column("beneficiary_id", "Person", link="person.html#beneficiary_id={}")


def view(sources: Sources) -> dict[str, Any]:
    rows = with_notes(
        sources.settings, sources.frame("select * from reports.worklist order by practice_id, rank")
    )
    columns = [
        Column("rank", "Rank", "number"),
        PERSON,
        Column("reasons", "Why", "list", lines=True),
        Column("conditions", "Conditions", "list", place="detail"),
        Column("last_visit_date", "Last visit", "date"),
        Column("missing_to_start", "Missing to start", "list"),
        Column("expected_monthly_usd", "Expected a month (estimated)", "dollars"),
        Column("practitioner_npi", "Practitioner"),
        Column("practice_id", "Practice"),
    ]
    # Columns that a later step may add, shown where they are there.
    optional = {
        "score": Column("score", "Score", "percent", place="detail"),
        "reason": Column("reason", "Reason"),
        "recent_stays": Column("recent_stays", "Stays in half a year", "number", place="detail"),
        "recent_emergency_visits": Column(
            "recent_emergency_visits", "Emergency visits in half a year", "number", place="detail"
        ),
        "condition_count": Column("condition_count", "Number of conditions", "number", place="detail"),
        "status": Column("status", "Status"),
        "note": Column("note", "Notes", place="detail"),
    }
    columns += [column for name, column in optional.items() if name in rows.columns]
    filters = [
        Filter("practice_id", "Practice"),
        Filter("practitioner_npi", "Practitioner"),
        Filter("missing_to_start", "Missing to start"),
        Filter("conditions", "Condition"),
        Filter("beneficiary_id", "Person", "contains"),
        *([Filter("status", "Status")] if "status" in rows.columns else []),
    ]
    grids = [
        Grid(
            "worklist", "People to ask, by practice and rank", columns, filters, rows, empty="Nobody matches."
        ),
    ]
    if sources.has("reports_internal.int_not_to_contact"):
        grids.append(changes(sources))
    return {"grids": grids, "practices": rows["practice_id"].n_unique()}


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
