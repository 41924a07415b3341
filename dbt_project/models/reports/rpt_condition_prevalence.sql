-- Share of people with each condition on the eve of the last month, among those alive in Part B and fee-for-service. A person has
-- several conditions, so the rows do not add up; each is hidden where those with or those without the condition are few.
{% set base_step = funnel_step('two_conditions') - 1 %}
with base as (
    select
        funnel.people as base_people,
        funnel.is_suppressed as base_is_suppressed
    from {{ ref('rpt_funnel') }} as funnel
    where funnel.period = 'month' and funnel.step = {{ base_step }}
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
    from {{ ref('int_condition_cells') }} as cells
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
    is_suppressed,
    cast(null as date) as held_from
from judged
