-- Every condition that holds when a person-month begins (on the last day of the month before), with its evidence, in the
-- definition in force; whether it is counted is the counting set's. A view: read for one person at a time.
{{ config(materialized='view') }}
select
    months.beneficiary_id,
    months.service_month,
    months.definition,
    months.counting_set,
    intervals.condition,
    sets.condition is not null as is_counted,
    intervals.start_date,
    intervals.end_date,
    intervals.first_evidence_date
from {{ ref('fct_condition_months') }} as months
inner join {{ ref('condition_intervals') }} as intervals
    on
        months.beneficiary_id = intervals.beneficiary_id
        and months.definition = intervals.definition
        and months.service_month > intervals.start_date
        and months.service_month <= intervals.end_date + 1
left join {{ ref('condition_counting_sets') }} as sets
    on
        intervals.definition = sets.definition
        and intervals.condition = sets.condition
        and months.counting_set = sets.counting_set
