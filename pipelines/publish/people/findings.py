"""Findings one by one, with the lines at fault and what reviewers said. Person-level."""

from __future__ import annotations

from typing import Any

from pipelines import rules
from pipelines.publish.formatting import sentence
from pipelines.publish.grid import Column, Filter, Grid
from pipelines.publish.people.worklist import PERSON
from pipelines.publish.sources import Sources

# A line as an auditor reads it: its identifier, day, code, units, what was paid, by whom.
FINDINGS = """
    with named as (
        select finding_id, 'at_fault' as role, unnest(claim_line_ids) as claim_line_id from flags.findings
        union all
        select finding_id, 'related' as role, unnest(related_claim_line_ids) as claim_line_id from flags.findings
    ),
    told as (
        select
            named.finding_id,
            named.role,
            list(
                named.claim_line_id || coalesce(
                    ': ' || lines.from_date || ', ' || coalesce(lines.hcpcs_code, 'no code')
                    || ' x' || cast(lines.units as integer) || ', $' || coalesce(lines.paid_usd, 0) || ' paid'
                    || coalesce(', NPI ' || lines.rendering_npi, '') || case when lines.is_denied then ', denied' else '' end,
                    ' (no longer among the claims)'
                )
                order by named.claim_line_id
            ) as lines
        from named
        left join core.core_claim_lines as lines on named.claim_line_id = lines.claim_line_id
        group by named.finding_id, named.role
    )
    select
        findings.*,
        coalesce(at_fault.lines, []) as lines_at_fault,
        coalesce(related.lines, []) as related_lines,
        'ccm review ' || findings.finding_id || ' --state confirmed --note "..."' as command
    from flags.findings as findings
    left join told as at_fault on findings.finding_id = at_fault.finding_id and at_fault.role = 'at_fault'
    left join told as related on findings.finding_id = related.finding_id and related.role = 'related'
    order by findings.review_state = 'closed', findings.amount_usd desc, findings.finding_id
"""


def view(sources: Sources) -> dict[str, Any]:
    import polars as pl

    rows = sources.frame(FINDINGS)
    audits = {
        rule.rule_id: [f"OIG {audit}" for audit in rule.audits] for rule in rules.catalogue() if rule.audits
    }
    titles = {row["rule_id"]: row["title"] for row in sources.catalogue}
    rows = rows.with_columns(
        pl.col("rule_id").replace_strict(titles, default="").alias("title"),
        pl.col("rule_id")
        .map_elements(lambda rule: audits.get(rule, []), return_dtype=pl.List(pl.String))
        .alias("audits"),
    )
    words = {
        name: sentence(name) for name in ("payment_not_supported", "likely_error", "warning", "information")
    }
    columns = [
        Column("rule_id", "Rule", link="../rules.html#rule-{}"),
        Column("title", "Finds"),
        Column("service_month", "Month", "month"),
        PERSON,
        Column("practice_tin", "Practice"),
        Column("practitioner_npi", "Practitioner", place="detail"),
        Column(
            "subject_kind",
            "About",
            words={name: sentence(name) for name in ("practitioner_month", "practice_year", "worker_year")},
            place="detail",
        ),
        Column("staff_id", "Worker", place="detail"),
        Column("observed", "Found"),
        Column("required", "Required", place="detail"),
        Column("amount_usd", "Paid", "dollars"),
        Column("cost_share_usd", "Patient's share", "dollars", place="detail"),
        Column("severity", "Severity", words=words),
        Column(
            "certainty",
            "Certainty",
            words={name: sentence(name) for name in ("certain_on_claims", "needs_record", "warning_only")},
            place="detail",
        ),
        Column("lines_at_fault", "Lines at fault", "list", place="detail"),
        Column("related_lines", "Lines that explain it", "list", place="detail"),
        Column("audits", "Tested by", "list", place="detail"),
        Column("citation", "Source", place="detail"),
        Column(
            "review_state",
            "Review",
            words={name: sentence(name) for name in ("open", "confirmed", "dismissed", "refunded", "closed")},
        ),
        Column("review_note", "Reviewer's note", place="detail"),
        Column("first_seen_as_of", "First seen", "date", place="detail"),
        Column("closed_reason", "Closed because", place="detail"),
        Column("finding_id", "Finding", place="detail"),
        Column("command", "To review", place="detail"),
    ]
    filters = [
        Filter("rule_id", "Rule"),
        Filter("severity", "Severity"),
        Filter("review_state", "Review"),
        Filter("audits", "OIG test"),
        Filter("practice_tin", "Practice"),
        Filter("beneficiary_id", "Person", "contains"),
    ]
    return {
        "grids": [
            Grid("findings", "Findings, dearest first", columns, filters, rows, empty="No finding matches.")
        ]
    }
