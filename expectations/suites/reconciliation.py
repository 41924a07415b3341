"""Expectations that no row is lost between layers: what staging shows is in the core once, and marts cover the core's months.

Every query returns one row where two counts differ, and nothing of their rows.
"""

from __future__ import annotations

from expectations.declared import blocks
from expectations.run import Suite
from expectations.suites.release import none_of

# Records of which the core keeps the newest row of each identifier: core table -> its identifier and its staging view.
NEWEST_OF_EACH = {
    "core_encounters": ("encounter_id", "stg_landing__encounters"),
    "core_care_management_time": ("activity_id", "stg_landing__care_management_time"),
    "core_consents": ("consent_id", "stg_landing__consents"),
    "core_care_plans": ("care_plan_id", "stg_landing__care_plans"),
    "core_problems": ("problem_id", "stg_landing__problems"),
}


def suites() -> list[Suite]:
    """One suite a table; schemas and names are those of the warehouse."""
    made = [
        _equal(
            "core",
            "core_claims",
            "every statement about a claim is in the core, final or with its reason",
            "select count(*) from {batch}",
            "select count(*) from staging.stg_landing__claims",
        ),
        _equal(
            "core",
            "core_claim_lines",
            "every claim line is a line of a final claim or a superseded one",
            "select (select count(*) from {batch}) + (select count(*) from core.core_superseded_claim_lines)",
            "select count(*) from staging.stg_landing__claim_lines",
        ),
        _equal(
            "marts",
            "eligibility_months",
            "eligibility is decided for every person-month",
            "select count(*) from {batch}",
            "select count(*) from core.core_person_months",
        ),
        _equal(
            "marts",
            "capture_months",
            "every person-month has a capture state",
            # months of which the payer said nothing have rows beside the spine's
            "select count(*) from {batch} where has_coverage_row",
            "select count(*) from core.core_person_months",
        ),
        _equal(
            "reports",
            "quarantine_summary",
            "the summary tells every reason for which rows were quarantined",
            "select count(*) from {batch}",
            "select count(*) from (select distinct batch_id, table_name, reason from core.core_quarantined_rows)",
        ),
    ]
    for table, (identifier, staged) in NEWEST_OF_EACH.items():
        made.append(
            _equal(
                "core",
                table,
                f"every {identifier} that was delivered is in the core once",
                "select count(*) from {batch}",
                f"select count(distinct {identifier}) from staging.{staged}",
            )
        )
    return made


def _equal(schema: str, table: str, says: str, one: str, other: str) -> Suite:
    differs = f"select 1 as differs where ({one}) <> ({other})"
    check = none_of(says, differs, blocking=blocks("reconciliation"))
    return Suite(f"reconciliation_{table}", schema, table, [check])
