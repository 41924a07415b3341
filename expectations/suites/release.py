"""Expectations on what is about to be published: no small cell, the month is there, totals reconcile.

Every query returns only rows that break the expectation; results keep counts and never rows.
"""

from __future__ import annotations

import great_expectations.expectations as gxe

from expectations.declared import blocks
from expectations.run import Check, Suite


def none_of(description: str, query: str, *, blocking: bool | None = None) -> Check:
    """An expectation that `query` (over `{batch}` and other tables) returns no row; `blocking` as declared for a release."""
    return Check(
        gxe.UnexpectedRowsExpectation(unexpected_rows_query=query, description=description),
        blocks("release") if blocking is None else blocking,
        description,
    )


def suites(through_month: str, publishable_counts: dict[str, list[str]]) -> list[Suite]:
    """Suites of a release.

    `through_month`: first day of the last month (ISO). `publishable_counts`: report table -> columns that count people.
    """
    month = f"date '{through_month}'"
    made = [
        Suite(
            "release_capture_months",
            "marts",
            "capture_months",
            [
                none_of(
                    "the last month asked for is present",
                    f"select 1 as missing where not exists (select 1 from {{batch}} where service_month = {month})",
                ),
                none_of(
                    "every person-month of the spine has exactly one state",
                    "select months.beneficiary_id from core.core_person_months as months"
                    " left join {batch} as states using (beneficiary_id, service_month)"
                    " group by months.beneficiary_id, months.service_month having count(states.state) <> 1",
                ),
                none_of(
                    "a gap is what is supported less what is billed",
                    "select 1 as wrong from {batch} where state in ('billable_not_billed', 'billed_below_record',"
                    " 'billed_as_supported', 'billed_beyond_record') and gap_usd <> supported_usd - billed_usd",
                ),
            ],
        ),
        Suite(
            "release_findings",
            "flags",
            "findings",
            [
                Check(gxe.ExpectColumnValuesToBeUnique(column="finding_id"), blocks("release")),
                none_of(
                    "every finding that is not closed is a failed rule result",
                    "select finding_id from {batch} as findings left join flags.rule_results as results"
                    " on findings.rule_id = results.rule_id and findings.subject_id = results.subject_id"
                    " where results.status is distinct from 'fail' and findings.review_state <> 'closed'",
                ),
            ],
        ),
        Suite(
            "release_rule_results",
            "flags",
            "rule_results",
            [
                none_of(
                    "every rule in force has assessed every subject once",
                    "select rule_id, subject_id from {batch} group by rule_id, subject_id having count(*) <> 1",
                ),
                none_of(
                    "every status is one of the four",
                    "select 1 as wrong from {batch} where status is null"
                    " or status not in ('pass', 'fail', 'cannot_assess', 'not_applicable')",
                ),
            ],
        ),
    ]
    made.append(
        Suite(
            "release_worklist",
            "reports",
            "worklist",
            [
                none_of(
                    "the worklist names every candidate once and nobody else",
                    "select coalesce(listed.beneficiary_id, candidates.beneficiary_id) from {batch} as listed"
                    " full join reports_internal.int_worklist_candidates as candidates"
                    " on listed.beneficiary_id = candidates.beneficiary_id and listed.practice_id = candidates.practice_id"
                    " group by all having count(listed.rank) <> 1 or count(candidates.rule_rank) <> 1",
                ),
                none_of(
                    "ranks of a practice count from 1 without a gap",
                    "select practice_id from {batch} group by practice_id"
                    " having max(rank) <> count(*) or count(distinct rank) <> count(*)",
                ),
            ],
        )
    )
    for table, columns in sorted(publishable_counts.items()):
        small = " or ".join(
            f"{column} between 1 and (select max(limit_value) from limits)" for column in columns
        )
        made.append(
            Suite(
                f"release_{table}",
                "reports",
                table,
                [
                    none_of(
                        "no cell of 1 to the disclosure limit is shown",
                        "with limits as (select limit_value from policy.disclosure_limits"
                        " where limit_name = 'largest_small_cell')"
                        f" select 1 as small from {{batch}} where {small}",
                    )
                ],
            )
        )
    return made
