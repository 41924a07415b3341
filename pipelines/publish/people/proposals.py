"""Months whose record supports more than was billed, and what the rules say of the bill. Person-level."""

from __future__ import annotations

from typing import Any

from pipelines.publish.grid import Column, Filter, Grid
from pipelines.publish.people.worklist import PERSON
from pipelines.publish.sources import Sources
from pipelines.publish.vocabulary import PROPOSALS, STATES


def view(sources: Sources) -> dict[str, Any]:
    rows = sources.frame(
        "select *, 'ccm explain --beneficiary ' || beneficiary_id || ' --month ' || strftime(service_month, '%Y-%m') as command"
        " from reports.billing_proposals order by proposal <> 'ready', service_month desc, gap_usd desc, beneficiary_id"
    )
    columns = [
        Column("service_month", "Month", "month"),
        PERSON,
        Column("codes", "The record supports", "list"),
        Column("billed_codes", "Billed", "list"),
        Column("gap_usd", "Would add", "dollars"),
        Column("proposal", "Can it be sent?", words=PROPOSALS),
        Column("objections", "Rules that object", "list"),
        Column("open_questions", "Rules that cannot be assessed", "list", place="detail"),
        Column(
            "state", "State", words={state: label for state, (label, _) in STATES.items()}, place="detail"
        ),
        Column("practice_id", "Practice"),
        Column("practitioner_npi", "Practitioner", place="detail"),
        Column("command", "All evidence", place="detail"),
    ]
    filters = [
        Filter("practice_id", "Practice"),
        Filter("practitioner_npi", "Practitioner"),
        Filter("proposal", "Can it be sent?"),
        Filter("service_month", "Month"),
        Filter("objections", "Rule that objects"),
        Filter("beneficiary_id", "Person", "contains"),
    ]
    return {
        "grids": [
            Grid(
                "proposals",
                "Months to bill, ready ones first",
                columns,
                filters,
                rows,
                empty="No month matches.",
            )
        ]
    }
