-- Attrition by month: how many people remain after each criterion, in the order in which the criteria are asked. A person leaves at
-- the first criterion that is not met or cannot be assessed; whoever is left after the claims' criteria is screen-eligible, whoever is
-- left after the last is documented-eligible. Not suppressed.
{% set criteria = screen_criteria() + record_criteria() %}
with placed as (
    select
        service_month,
        {% for name in criteria %}
            {{ name }}_status,
        {% endfor %}
        case
            {% for name in criteria %}
                when {{ name }}_status != 'pass' then {{ loop.index }}
            {% endfor %}
        end as left_at
    from {{ ref('eligibility_months') }}
),

counted as (
    {% for name in criteria %}
        select
            service_month,
            {{ loop.index }} as criterion_order,
            '{{ name }}' as criterion,
            {{ 'true' if name in screen_criteria() else 'false' }} as is_screen,
            count(*) as people,
            sum(case when left_at = {{ loop.index }} and {{ name }}_status = 'fail' then 1 else 0 end) as first_failed,
            sum(case when left_at = {{ loop.index }} and {{ name }}_status != 'fail' then 1 else 0 end) as first_undecided,
            sum(case when coalesce(left_at, {{ criteria | length + 1 }}) > {{ loop.index }} then 1 else 0 end) as people_left,
            sum(case when {{ name }}_status = 'fail' then 1 else 0 end) as failed_at_all
        from placed
        group by service_month
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    service_month,
    criterion_order,
    criterion,
    is_screen,
    cast(people as bigint) as people,
    cast(first_failed as bigint) as first_failed,
    cast(first_undecided as bigint) as first_undecided,
    cast(people_left as bigint) as people_left,
    cast(failed_at_all as bigint) as failed_at_all
from counted
