-- Days that a hospice billed for; overlapping and touching claims are one period.
with claims as (
    select
        beneficiary_id,
        claim_id,
        from_date as start_date,
        through_date as end_date
    from {{ ref('core_claims') }}
    where is_final and not is_denied and claim_type = 'hospice'
),

ordered as (
    select
        *,
        max(end_date) over (
            partition by beneficiary_id
            order by start_date, end_date, claim_id
            rows between unbounded preceding and 1 preceding
        ) as latest_end_before
    from claims
),

numbered as (
    select
        *,
        sum(case when latest_end_before is null or start_date > latest_end_before + 1 then 1 else 0 end) over (
            partition by beneficiary_id
            order by start_date, end_date, claim_id
            rows between unbounded preceding and current row
        ) as period_number
    from ordered
)

select
    beneficiary_id,
    min(start_date) as start_date,
    max(end_date) as end_date
from numbered
group by beneficiary_id, period_number
