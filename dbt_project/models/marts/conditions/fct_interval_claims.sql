-- The claims that each interval of a condition rests on: all that count towards it from its first to its last date of evidence.
-- A view: of a million people they are a third of a billion, as many as the diagnoses and more, and are asked for one person at a time.
{{ config(materialized='view') }}
select
    intervals.beneficiary_id,
    intervals.definition,
    intervals.condition,
    intervals.start_date,
    {{ list_agg_distinct('evidence.claim_id') }} as evidence_claim_ids
from {{ ref('condition_intervals') }} as intervals
inner join {{ ref('condition_definitions') }} as definitions
    on
        intervals.definition = definitions.definition
        and intervals.condition = definitions.condition
inner join {{ ref('fct_condition_evidence') }} as evidence
    on
        intervals.beneficiary_id = evidence.beneficiary_id
        and definitions.condition_key = evidence.condition_key
        and evidence.evidence_date between intervals.first_evidence_date and intervals.last_evidence_date
group by
    intervals.beneficiary_id,
    intervals.definition,
    intervals.condition,
    intervals.start_date
