-- People without a bill who are not eligible, or of whom it cannot be told, by month and first criterion not met: a finer split of
-- two capture states, so that both tables add up to one another. With what may be shown. Not suppressed.
with criteria as (
    {% for name in screen_criteria() %}
        select
            {{ loop.index }} as criterion_order,
            '{{ name }}' as criterion
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

reaching as (
    select
        service_month,
        state,
        step,
        count(*) as people
    from {{ ref('int_funnel_people') }}
    group by service_month, state, step
),

cells as (
    select
        states.service_month,
        states.state,
        criteria.criterion_order,
        criteria.criterion,
        coalesce(reaching.people, 0) as people,
        states.people as people_in_state,
        states.is_suppressed as hides_state
    from {{ ref('int_capture_cells') }} as states
    cross join criteria
    left join reaching
        on
            states.service_month = reaching.service_month
            and states.state = reaching.state
            and criteria.criterion_order = reaching.step
    where states.state in ('not_eligible', 'eligibility_not_assessable')
),

judged as (
    {{ suppress_lines('cells', ['service_month', 'state'], 'people', ['criterion_order']) }}
),

reached as (
    select
        service_month,
        step,
        sum(sum(people)) over (partition by service_month order by step desc) as people
    from reaching
    group by service_month, step
),

-- a month whose steps lie within a few people of the funnel of the whole run, which contains them
near_the_window as (
    select distinct reached.service_month
    from {{ ref('int_shown_window_steps') }} as shown
    inner join {{ ref('int_funnel_counts') }} as windows
        on shown.chain = windows.chain and shown.step = windows.step and shown.is_shown
    inner join reached on shown.step = reached.step
    where windows.people - reached.people between 1 and {{ largest_small_cell() }}
)

select
    judged.service_month,
    judged.state,
    judged.criterion_order,
    judged.criterion,
    judged.people,
    judged.people_in_state,
    (
        judged.is_suppressed
        or judged.hides_state
        or max(case when judged.hides_total then 1 else 0 end) over (partition by judged.service_month, judged.state) = 1
        or near.service_month is not null
    ) as is_suppressed
from judged
left join near_the_window as near on judged.service_month = near.service_month
