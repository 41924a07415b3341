-- People and dollars in each capture state by month, with what may be shown of them. Not suppressed.
with cells as (
    select
        service_month,
        state,
        count(*) as people,
        cast(sum(gap_usd) as decimal(14, 2)) as gap_usd,
        cast(sum(coalesce(potential_usd, 0)) as decimal(14, 2)) as potential_usd,
        cast(sum(billed_usd) as decimal(14, 2)) as billed_usd,
        cast(sum(paid_usd) as decimal(14, 2)) as paid_usd
    from {{ ref('capture_months') }}
    -- the people of whom the payer said nothing are in no other count of the month
    where has_coverage_row
    group by service_month, state
),

judged as (
    {{ suppress_lines('cells', ['service_month'], 'people', ['state']) }}
),

states as (
    {% for state, last_step in capture_state_steps() %}
        select
            {{ loop.index }} as state_order,
            '{{ state }}' as state,
            {{ last_step }} as last_step
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    judged.service_month,
    states.state_order,
    judged.state,
    states.last_step,
    judged.people,
    cast(sum(judged.people) over (partition by judged.service_month) as bigint) as people_in_month,
    judged.gap_usd,
    judged.potential_usd,
    judged.billed_usd,
    judged.paid_usd,
    judged.limit_value,
    judged.is_suppressed,
    judged.hides_total
from judged
left join states on judged.state = states.state
