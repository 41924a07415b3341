-- A condition holds over date intervals. One-claim evidence: from the claim date for the look-back. Two-claim evidence: from
-- the second date until the look-back of the first runs out; of all pairs of dates the neighbouring ones give the longest intervals.
-- The end is the date plus the look-back months less a day, which at month-ends equals the calendar-month window.
with days as (
    select
        evidence.beneficiary_id,
        evidence.definition,
        evidence.condition,
        evidence.evidence_date,
        bool_or(evidence.is_one_claim_evidence) as is_one_claim,
        bool_or(evidence.is_two_claim_evidence) as is_two_claim,
        {{ list_agg_distinct('evidence.claim_id') }} as claim_ids,
        cast(
            {{ dbt.dateadd('month', 'max(definitions.lookback_months)', 'evidence.evidence_date') }} as date
        ) - 1 as last_date
    from {{ ref('fct_condition_evidence') }} as evidence
    inner join {{ ref('condition_definitions') }} as definitions
        on
            evidence.definition = definitions.definition
            and evidence.condition = definitions.condition
    group by
        evidence.beneficiary_id,
        evidence.definition,
        evidence.condition,
        evidence.evidence_date
),

pairs as (
    select
        beneficiary_id,
        definition,
        condition,
        evidence_date,
        last_date,
        claim_ids,
        lead(evidence_date) over (
            partition by beneficiary_id, definition, condition
            order by evidence_date
        ) as second_date,
        lead(claim_ids) over (
            partition by beneficiary_id, definition, condition
            order by evidence_date
        ) as second_claim_ids
    from days
    where is_two_claim
),

intervals as (
    select
        beneficiary_id,
        definition,
        condition,
        evidence_date as start_date,
        last_date as end_date,
        evidence_date as first_evidence_date,
        claim_ids
    from days
    where is_one_claim
    union all
    select
        beneficiary_id,
        definition,
        condition,
        second_date as start_date,
        last_date as end_date,
        evidence_date as first_evidence_date,
        {{ list_concat('claim_ids', 'second_claim_ids') }} as claim_ids
    from pairs
    where second_date <= last_date
),

ordered as (
    select
        *,
        max(end_date) over (
            partition by beneficiary_id, definition, condition
            order by start_date, end_date, first_evidence_date
            rows between unbounded preceding and 1 preceding
        ) as latest_end_before
    from intervals
),

numbered as (
    select
        *,
        sum(case when latest_end_before is null or start_date > latest_end_before + 1 then 1 else 0 end) over (
            partition by beneficiary_id, definition, condition
            order by start_date, end_date, first_evidence_date
            rows between unbounded preceding and current row
        ) as interval_number
    from ordered
)

select
    beneficiary_id,
    definition,
    condition,
    min(start_date) as start_date,
    max(end_date) as end_date,
    min(first_evidence_date) as first_evidence_date,
    {{ list_flatten_distinct('claim_ids') }} as evidence_claim_ids
from numbered
group by beneficiary_id, definition, condition, interval_number
