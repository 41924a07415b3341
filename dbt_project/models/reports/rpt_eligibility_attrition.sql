-- Why people of the last month are not eligible on claims: each counted once, at the first criterion that failed, else at the
-- first that could not be assessed, else eligible.
with last_month as (
    select max(service_month) as service_month
    from {{ ref('core_person_months') }}
),

outcomes as (
    select
        eligibility.service_month,
        case
            {% for name in screen_criteria() %}
            when eligibility.{{ name }}_status = 'fail' then 'fails {{ name }}'
            {% endfor %}
            {% for name in screen_criteria() %}
            when eligibility.{{ name }}_status = 'cannot_assess' then 'cannot assess {{ name }}'
            {% endfor %}
            else 'eligible'
        end as outcome
    from {{ ref('eligibility_months') }} as eligibility
    inner join last_month on eligibility.service_month = last_month.service_month
),

cells as (
    select
        service_month,
        outcome,
        count(*) as people
    from outcomes
    group by service_month, outcome
),

suppressed as (
    {{ suppress_lines('cells', ['service_month'], 'people', ['outcome']) }}
)

select
    service_month,
    outcome,
    case when not is_suppressed then people end as people,
    is_suppressed
from suppressed
