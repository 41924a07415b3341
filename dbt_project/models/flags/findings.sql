-- The ledger: what fails in this run, and what failed in an earlier one and no longer does (closed, with its reason), each with
-- what reviewers said of it. What a reviewer said outlives the warehouse; the last word counts.
with reviews as (
    select
        finding_id,
        review_state,
        review_number,
        note,
        reviewed_by,
        reviewed_at
    from {{ source('ledger', 'finding_reviews') }}
    qualify row_number() over (partition by finding_id order by review_number desc) = 1
),

ledger as (
    select
        failures.finding_id,
        failures.rule_id,
        failures.severity,
        failures.certainty,
        failures.subject_kind,
        failures.subject_id,
        failures.beneficiary_id,
        failures.service_month,
        failures.practitioner_npi,
        failures.practice_tin,
        failures.staff_id,
        failures.observed,
        failures.required,
        failures.claim_line_ids,
        failures.related_claim_line_ids,
        failures.amount_usd,
        failures.cost_share_usd,
        failures.citation,
        coalesce(known.first_seen_as_of, run.as_of) as first_seen_as_of,
        run.as_of as last_seen_as_of,
        case when known.was_absent then run.as_of else known.reopened_as_of end as reopened_as_of,
        cast(null as date) as closed_as_of,
        cast(null as {{ dbt.type_string() }}) as closed_reason,
        cast(null as {{ dbt.type_string() }}) as closed_observed,
        cast(null as {{ dbt.type_string() }}) as continued_by
    from {{ ref('ledger_failures') }} as failures
    cross join {{ ref('ledger_run') }} as run
    left join {{ ref('ledger_known') }} as known on failures.finding_id = known.finding_id
    union all
    select
        finding_id,
        rule_id,
        severity,
        certainty,
        subject_kind,
        subject_id,
        beneficiary_id,
        service_month,
        practitioner_npi,
        practice_tin,
        staff_id,
        observed,
        required,
        claim_line_ids,
        related_claim_line_ids,
        amount_usd,
        cost_share_usd,
        citation,
        first_seen_as_of,
        last_seen_as_of,
        reopened_as_of,
        closed_as_of,
        closed_reason,
        closed_observed,
        continued_by
    from {{ ref('ledger_closings') }}
),

stated as (
    select
        ledger.*,
        case
            when ledger.closed_as_of is not null then 'closed'
            else coalesce(reviews.review_state, 'open')
        end as review_state,
        reviews.review_state as reviewed_as,
        reviews.review_number,
        reviews.reviewed_at,
        reviews.reviewed_by,
        reviews.note as review_note
    from ledger
    left join reviews on ledger.finding_id = reviews.finding_id
)

select
    stated.finding_id,
    stated.rule_id,
    stated.severity,
    stated.certainty,
    stated.subject_kind,
    stated.subject_id,
    stated.beneficiary_id,
    stated.service_month,
    stated.practitioner_npi,
    stated.practice_tin,
    stated.staff_id,
    stated.observed,
    stated.required,
    stated.claim_line_ids,
    stated.related_claim_line_ids,
    stated.amount_usd,
    stated.cost_share_usd,
    stated.citation,
    stated.review_state,
    stated.reviewed_as,
    stated.review_number,
    stated.reviewed_at,
    stated.reviewed_by,
    stated.review_note,
    -- Information: the day on which an overpayment counts as identified is that of the review that confirmed it.
    case when stated.reviewed_as = 'confirmed' then cast(stated.reviewed_at as date) end as identified_on,
    case
        when stated.reviewed_as = 'confirmed'
            then cast({{ dbt.dateadd('day', 'deadlines.days_to_return', 'cast(stated.reviewed_at as date)') }} as date)
    end as return_by,
    stated.first_seen_as_of,
    stated.last_seen_as_of,
    stated.reopened_as_of,
    stated.closed_as_of,
    stated.closed_reason,
    stated.closed_observed,
    stated.continued_by
from stated
left join {{ ref('overpayment_deadlines') }} as deadlines
    on {{ in_force('deadlines', 'cast(stated.reviewed_at as date)') }}
