-- People with each condition on the eve of the last month, among those alive in Part B and fee-for-service. Not suppressed.
{% set base_step = funnel_step('two_conditions') - 1 %}
with base_people as (
    select
        people.beneficiary_id,
        people.service_month
    from {{ ref('int_funnel_people') }} as people
    where
        people.step >= {{ base_step }}
        and people.service_month = (select max(months.service_month) from {{ ref('core_person_months') }} as months)
)

select
    base_people.service_month,
    intervals.definition,
    intervals.condition,
    bool_or(sets.condition is not null) as is_counted,
    count(distinct base_people.beneficiary_id) as people
from base_people
inner join {{ ref('condition_set_in_force') }} as in_force
    on {{ in_force('in_force', 'base_people.service_month') }}
inner join {{ ref('condition_intervals') }} as intervals
    on
        base_people.beneficiary_id = intervals.beneficiary_id
        and in_force.definition = intervals.definition
        and base_people.service_month - 1 between intervals.start_date and intervals.end_date
left join {{ ref('condition_counting_sets') }} as sets
    on
        in_force.counting_set = sets.counting_set
        and intervals.definition = sets.definition
        and intervals.condition = sets.condition
group by base_people.service_month, intervals.definition, intervals.condition
