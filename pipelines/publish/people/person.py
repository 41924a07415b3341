"""Why is this person (not) eligible: every person's last year as spells of one answer. Person-level."""

from __future__ import annotations

from typing import Any

from pipelines.publish.grid import Column, Filter, Grid
from pipelines.publish.sources import Sources
from pipelines.publish.vocabulary import FAILED, STATES, UNDECIDED

# Months that the page tells; `ccm explain` tells any month, with the evidence.
MONTHS = 12

# Months that follow one another with the same answer are one row.
SPELLS = """
    with months as (
        select
            eligibility.beneficiary_id, eligibility.service_month, capture.state, eligibility.failed_criteria,
            eligibility.cannot_assess, eligibility.screen_eligible, eligibility.documented_eligible,
            eligibility.condition_count, eligibility.conditions_required, eligibility.observed_months,
            eligibility.last_visit_date, capture.practice_id, capture.practitioner_npi,
            row_number() over (partition by eligibility.beneficiary_id order by eligibility.service_month)
            - row_number() over (
                partition by
                    eligibility.beneficiary_id, capture.state, eligibility.failed_criteria, eligibility.cannot_assess,
                    capture.practice_id, capture.practitioner_npi
                order by eligibility.service_month
            ) as island
        from marts.eligibility_months as eligibility
        inner join marts.capture_months as capture
            on
                eligibility.beneficiary_id = capture.beneficiary_id
                and eligibility.service_month = capture.service_month
        where eligibility.service_month > date '{through}' - interval {months} month
    )
    select
        beneficiary_id,
        min(service_month) as first_month,
        max(service_month) as last_month,
        state,
        failed_criteria,
        cannot_assess,
        case max_by(screen_eligible, service_month) when true then 'yes' when false then 'no' else 'cannot be told' end as on_claims,
        case max_by(documented_eligible, service_month)
            when true then 'yes' when false then 'no' else 'cannot be told'
        end as documented,
        max_by(condition_count, service_month) as condition_count,
        max_by(conditions_required, service_month) as conditions_required,
        max_by(observed_months, service_month) as observed_months,
        max_by(last_visit_date, service_month) as last_visit_date,
        practice_id,
        practitioner_npi,
        'ccm explain --beneficiary ' || beneficiary_id || ' --month ' || strftime(max(service_month), '%Y-%m') as command
    from months
    group by beneficiary_id, state, failed_criteria, cannot_assess, practice_id, practitioner_npi, island
    order by beneficiary_id, last_month desc
"""


def view(sources: Sources) -> dict[str, Any]:
    query = SPELLS.format(through=sources.window.through.isoformat(), months=MONTHS)
    columns = [
        Column("beneficiary_id", "Person"),
        Column("first_month", "From", "month"),
        Column("last_month", "To", "month"),
        Column("on_claims", "Eligible on claims"),
        Column("failed_criteria", "Why not", "list", words=FAILED),
        Column("cannot_assess", "Cannot be told", "list", words=UNDECIDED, place="detail"),
        Column("state", "State", words={state: label for state, (label, _) in STATES.items()}),
        Column("documented", "Eligible with consent and plan", place="detail"),
        Column("condition_count", "Chronic conditions on claims", "number", place="detail"),
        Column("conditions_required", "Conditions needed", "number", place="detail"),
        Column("observed_months", "Months of claims seen of the 12 before", "number", place="detail"),
        Column("last_visit_date", "Last primary-care visit", "date", place="detail"),
        Column("practice_id", "Practice"),
        Column("practitioner_npi", "Practitioner", place="detail"),
        Column("command", "All evidence", place="detail"),
    ]
    filters = [
        Filter("beneficiary_id", "Person (whole identifier)", "is"),
        Filter("practice_id", "Practice"),
        Filter("failed_criteria", "Why not"),
        Filter("state", "State"),
    ]
    return {
        "grids": [
            Grid(
                "person",
                f"Months of the last {MONTHS}, newest first; months with one answer stand together",
                columns,
                filters,
                sources.frame(query),
                empty="Nobody of this identifier was enrolled in these months.",
                asks_first=True,
            )
        ]
    }
