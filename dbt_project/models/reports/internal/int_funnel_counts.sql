-- People at each step from enrolled to paid: in the last month, and in any month of the run. Not suppressed.
with last_month as (
    select max(service_month) as service_month
    from {{ ref('core_person_months') }}
),

people as (
    select
        reached.beneficiary_id,
        max(reached.step) as window_step,
        max(case when reached.service_month = last_month.service_month then reached.step end) as month_step
    from {{ ref('int_funnel_people') }} as reached
    cross join last_month
    group by reached.beneficiary_id
),

steps as (
    {% for code, says, criterion_says, step_rank in funnel_steps() %}
        select
            {{ loop.index }} as step,
            '{{ code }}' as step_code,
            '{{ says }}' as step_name,
            {{ "'" ~ criterion_says ~ "'" if criterion_says else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as criterion_name,
            {{ step_rank }} as step_rank
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    'window' as chain,
    steps.step,
    steps.step_code,
    steps.step_name,
    steps.criterion_name,
    steps.step_rank,
    cast(coalesce(sum(case when people.window_step >= steps.step then 1 else 0 end), 0) as bigint) as people
from steps
left join people on true
group by steps.step, steps.step_code, steps.step_name, steps.criterion_name, steps.step_rank
union all
select
    'month' as chain,
    steps.step,
    steps.step_code,
    steps.step_name,
    steps.criterion_name,
    steps.step_rank,
    cast(coalesce(sum(case when people.month_step >= steps.step then 1 else 0 end), 0) as bigint) as people
from steps
left join people on true
group by steps.step, steps.step_code, steps.step_name, steps.criterion_name, steps.step_rank
