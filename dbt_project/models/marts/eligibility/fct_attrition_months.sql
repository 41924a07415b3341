-- Attrition by month: how many people remain after each criterion, in the order in which the criteria are asked. A person leaves at
-- the first criterion that is not met or cannot be assessed; whoever is left after the claims' criteria is screen-eligible, whoever is
-- left after the last is documented-eligible. Not suppressed. One pass over the person-months; the months' sums are then laid out.
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
            else {{ criteria | length + 1 }}
        end as left_at
    from {{ ref('eligibility_months') }}
),

summed as (
    select
        service_month,
        {% for name in criteria %}
            sum(case when left_at = {{ loop.index }} then 1 else 0 end) as leave_{{ loop.index }},
            sum(case when left_at = {{ loop.index }} and {{ name }}_status = 'fail' then 1 else 0 end) as fail_first_{{ loop.index }},
            sum(case when {{ name }}_status = 'fail' then 1 else 0 end) as fail_{{ loop.index }},
            sum(case when left_at > {{ loop.index }} then 1 else 0 end) as left_{{ loop.index }},
        {% endfor %}
        count(*) as people
    from placed
    group by service_month
)

{% for name in criteria %}
    select
        service_month,
        {{ loop.index }} as criterion_order,
        '{{ name }}' as criterion,
        {{ 'true' if name in screen_criteria() else 'false' }} as is_screen,
        people,
        cast(fail_first_{{ loop.index }} as bigint) as first_failed,
        cast(leave_{{ loop.index }} - fail_first_{{ loop.index }} as bigint) as first_undecided,
        cast(left_{{ loop.index }} as bigint) as people_left,
        cast(fail_{{ loop.index }} as bigint) as failed_at_all
    from summed
    {{ 'union all' if not loop.last }}
{% endfor %}
