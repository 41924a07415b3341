-- A condition holds over date intervals. One-claim evidence: from the claim date for the look-back. Two-claim evidence: from
-- the second date until the look-back of the first runs out; of all pairs of dates the neighbouring ones give the longest intervals.
-- The end is the date plus the look-back months less a day, which at month-ends equals the calendar-month window.
-- Dates alone are kept: the claims between the first and the last of them are told by fct_interval_claims, for whom it is asked.
with days as (
    select
        beneficiary_id,
        condition_key,
        evidence_date,
        bool_or(is_one_claim_evidence) as is_one_claim,
        bool_or(is_two_claim_evidence) as is_two_claim
    from {{ ref('fct_condition_evidence') }}
    group by beneficiary_id, condition_key, evidence_date
),

dated as (
    select
        days.*,
        cast({{ dbt.dateadd('month', 'definitions.lookback_months', 'days.evidence_date') }} as date) - 1 as last_date
    from days
    inner join {{ ref('condition_definitions') }} as definitions on days.condition_key = definitions.condition_key
),

neighbours as (
    select
        beneficiary_id,
        condition_key,
        evidence_date,
        last_date,
        lag(last_date) over in_order as last_date_before,
        lead(evidence_date) over in_order as second_date,
        lead(evidence_date, 2) over in_order as third_date
    from dated
    where is_two_claim
    window in_order as (partition by beneficiary_id, condition_key order by evidence_date)
),

-- A pair holds from its second date until its last. It joins the pair before when that one reached it, and the next when this
-- one reaches that. Ends never go back from pair to pair, so the neighbours alone decide and the long history is sorted once.
edges as (
    select
        beneficiary_id,
        condition_key,
        evidence_date,
        second_date,
        last_date,
        coalesce(last_date_before >= evidence_date and second_date <= last_date_before + 1, false) as joins_previous,
        coalesce(
            third_date <= cast({{ dbt.dateadd('month', 'definitions.lookback_months', 'second_date') }} as date) - 1
            and third_date <= last_date + 1,
            false
        ) as joins_next
    from neighbours
    inner join {{ ref('condition_definitions') }} as definitions using (condition_key)
    where second_date <= last_date
),

starts as (
    select
        beneficiary_id,
        condition_key,
        second_date as start_date,
        evidence_date as first_evidence_date,
        row_number() over (partition by beneficiary_id, condition_key order by evidence_date) as chain
    from edges
    where not joins_previous
),

ends as (
    select
        beneficiary_id,
        condition_key,
        last_date as end_date,
        second_date as last_evidence_date,
        row_number() over (partition by beneficiary_id, condition_key order by evidence_date) as chain
    from edges
    where not joins_next
),

intervals as (
    select
        beneficiary_id,
        condition_key,
        evidence_date as start_date,
        last_date as end_date,
        evidence_date as first_evidence_date,
        evidence_date as last_evidence_date
    from dated
    where is_one_claim
    union all
    select
        starts.beneficiary_id,
        starts.condition_key,
        starts.start_date,
        ends.end_date,
        starts.first_evidence_date,
        ends.last_evidence_date
    from starts
    inner join ends
        on
            starts.beneficiary_id = ends.beneficiary_id
            and starts.condition_key = ends.condition_key
            and starts.chain = ends.chain
),

ordered as (
    select
        *,
        max(end_date) over (
            partition by beneficiary_id, condition_key
            order by start_date, end_date, first_evidence_date
            rows between unbounded preceding and 1 preceding
        ) as latest_end_before
    from intervals
),

numbered as (
    select
        *,
        sum(case when latest_end_before is null or start_date > latest_end_before + 1 then 1 else 0 end) over (
            partition by beneficiary_id, condition_key
            order by start_date, end_date, first_evidence_date
            rows between unbounded preceding and current row
        ) as interval_number
    from ordered
),

merged as (
    select
        beneficiary_id,
        condition_key,
        min(start_date) as start_date,
        max(end_date) as end_date,
        min(first_evidence_date) as first_evidence_date,
        max(last_evidence_date) as last_evidence_date
    from numbered
    group by beneficiary_id, condition_key, interval_number
)

select
    merged.beneficiary_id,
    definitions.definition,
    definitions.condition,
    merged.start_date,
    merged.end_date,
    merged.first_evidence_date,
    merged.last_evidence_date
from merged
inner join {{ ref('condition_definitions') }} as definitions on merged.condition_key = definitions.condition_key
