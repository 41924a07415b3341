-- People at each step from enrolled to paid, in the last month and in any month of its year. A step whose difference from the
-- last step shown is small is not shown: the difference would name how many fell out.
with steps as (
    {% for step, name in [
        (1, 'enrolled and alive'), (2, 'Part B and fee-for-service'), (3, 'two or more chronic conditions'),
        (4, 'eligible on claims'), (5, 'has a primary-care practice'), (6, 'practice provides care management'),
        (7, 'served: time recorded or billed'), (8, 'record or bill reaches a code'), (9, 'billed'), (10, 'paid')] %}
    select
        {{ step }} as step,
        '{{ name }}' as step_name
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

last_month as (
    select max(service_month) as service_month
    from {{ ref('core_person_months') }}
),

reached as (
    select
        'month' as period,
        people.beneficiary_id,
        max(people.steps_reached) as steps_reached
    from {{ ref('int_funnel_people') }} as people
    inner join last_month on people.service_month = last_month.service_month
    group by people.beneficiary_id
    union all
    select
        'year' as period,
        people.beneficiary_id,
        max(people.steps_reached) as steps_reached
    from {{ ref('int_funnel_people') }} as people
    cross join last_month
    where extract(year from people.service_month) = extract(year from last_month.service_month)
    group by people.beneficiary_id
),

counted as (
    select
        periods.period,
        steps.step,
        steps.step_name,
        coalesce(sum(case when reached.steps_reached >= steps.step then 1 else 0 end), 0) as people
    from
        (
            select 'month' as period
            union all
            select 'year' as period
        ) as periods
    cross join steps
    left join reached on periods.period = reached.period
    group by periods.period, steps.step, steps.step_name
),

limits as (
    select max(limit_value) as limit_value
    from {{ ref('disclosure_limits') }}
    where limit_name = 'largest_small_cell'
),

{{ shown_steps('counted', 'limits', 10) }}

select
    counted.period,
    counted.step,
    counted.step_name,
    last_month.service_month as period_end_month,
    case when shown.is_shown then counted.people end as people,
    not shown.is_shown as is_suppressed
from counted
inner join shown on counted.period = shown.period and counted.step = shown.step
cross join last_month
