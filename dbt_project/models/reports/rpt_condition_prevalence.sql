-- Share of people with each condition on the eve of the last month, among those alive in Part B and fee-for-service. A person has
-- several conditions, so the rows do not add up; each is hidden where those with or those without the condition are few.
{% set base_step = funnel_step('two_conditions') - 1 %}
with base_people as (
    select
        people.beneficiary_id,
        people.service_month
    from {{ ref('int_funnel_people') }} as people
    where
        people.step >= {{ base_step }}
        and people.service_month = (select max(months.service_month) from {{ ref('core_person_months') }} as months)
),

base as (
    select
        funnel.people as base_people,
        funnel.is_suppressed as base_is_suppressed
    from {{ ref('rpt_funnel') }} as funnel
    where funnel.period = 'month' and funnel.step = {{ base_step }}
),

cells as (
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
),

judged as (
    select
        cells.*,
        base.base_people,
        (
            base.base_is_suppressed
            or cells.people <= {{ largest_small_cell() }}
            or base.base_people - cells.people between 1 and {{ largest_small_cell() }}
        ) as is_suppressed
    from cells
    cross join base
)

select
    service_month,
    definition,
    condition,
    is_counted,
    case when not is_suppressed then people end as people,
    base_people,
    case when not is_suppressed then cast(people as double) / base_people end as share,
    is_suppressed
from judged
