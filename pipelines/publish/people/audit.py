"""The OIG's audits of CCM on one's own claims, with the bills that each test names. Person-level."""

from __future__ import annotations

from typing import Any

from pipelines import audit
from pipelines.publish.grid import Column, Filter, Grid
from pipelines.publish.people.worklist import PERSON
from pipelines.publish.sources import Sources


def view(sources: Sources) -> dict[str, Any]:
    lines = sources.frame(
        "select lines.audit, lines.test_id, tests.title, lines.claim_line_id, lines.beneficiary_id, lines.service_month,"
        " lines.practice_tin, lines.practitioner_npi, lines.hcpcs_code, lines.paid_usd, lines.cost_share_usd,"
        " case when lines.is_potential then 'potential' else 'in error' end as kind,"
        " case when lines.is_counted then 'yes' else 'no: in an earlier test' end as counted"
        " from flags.oig_lines as lines"
        " left join (select distinct audit, test_id, title from flags.oig_audit) as tests"
        " on lines.audit = tests.audit and lines.test_id = tests.test_id"
        " order by lines.audit, lines.test_order, lines.paid_usd desc, lines.claim_line_id"
    )
    return {
        "found": audit.told(sources.con),
        "grids": [
            Grid(
                "oig",
                "Bills that a test names",
                [
                    Column("audit", "Audit"),
                    Column("title", "Test"),
                    Column("service_month", "Month", "month"),
                    PERSON,
                    Column("hcpcs_code", "Code"),
                    Column("paid_usd", "Paid", "dollars"),
                    Column("practice_tin", "Practice"),
                    Column("kind", "The OIG called it"),
                    Column("claim_line_id", "Line", place="detail"),
                    Column("practitioner_npi", "Practitioner", place="detail"),
                    Column("cost_share_usd", "Patient's share", "dollars", place="detail"),
                    Column("counted", "Counted in this test", place="detail"),
                ],
                [
                    Filter("audit", "Audit"),
                    Filter("title", "Test"),
                    Filter("practice_tin", "Practice"),
                    Filter("kind", "The OIG called it"),
                    Filter("beneficiary_id", "Person", "contains"),
                ],
                lines,
                empty="No bill matches.",
            )
        ],
    }
