-- The last month told twice: its funnel, and its capture states, must agree wherever a step is a sum of states.
with states as (
    select
        sum(people) as everybody,
        sum(case when state not in ('not_eligible', 'eligibility_not_assessable') then people else 0 end) as eligible,
        sum(case when state like 'billed%' or state in ('served_below_threshold', 'billable_not_billed') then people else 0 end)
            as served,
        sum(case when state like 'billed%' then people else 0 end) as billed
    from {{ ref('int_capture_cells') }}
    where service_month = (select max(service_month) from {{ ref('int_capture_cells') }})
)

select
    counts.step_code,
    counts.people
from {{ ref('int_funnel_counts') }} as counts
cross join states
where
    counts.chain = 'month'
    and counts.people <> case
        when counts.step_code = 'enrolled' then states.everybody
        when counts.step = {{ funnel_step('practice') - 1 }} then states.eligible
        when counts.step_code = 'served' then states.served
        when counts.step_code = 'billed' then states.billed
        else counts.people
    end
