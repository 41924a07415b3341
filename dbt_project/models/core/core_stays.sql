-- Facility stays: claims of one kind whose next admission is on or the day after the discharge are one stay.
-- Without a discharge date (still a patient) a claim's stay runs to its through date.
with claims as (
    select
        beneficiary_id,
        claim_id,
        claim_type as stay_kind,
        coalesce(admission_date, from_date) as start_date,
        greatest(coalesce(discharge_date, through_date), coalesce(admission_date, from_date)) as end_date
    from {{ ref('core_claims') }}
    where is_final and not is_denied and claim_type in ('inpatient', 'snf')
),

ordered as (
    select
        *,
        max(end_date) over (
            partition by beneficiary_id, stay_kind
            order by start_date, end_date, claim_id
            rows between unbounded preceding and 1 preceding
        ) as latest_end_before
    from claims
),

numbered as (
    select
        *,
        sum(case when latest_end_before is null or start_date > latest_end_before + 1 then 1 else 0 end) over (
            partition by beneficiary_id, stay_kind
            order by start_date, end_date, claim_id
            rows between unbounded preceding and current row
        ) as stay_number
    from ordered
)

select
    beneficiary_id,
    stay_kind,
    min(start_date) as start_date,
    max(end_date) as end_date,
    {{ list_agg_distinct('claim_id') }} as claim_ids
from numbered
group by beneficiary_id, stay_kind, stay_number
