-- Counts that the measures are made of, by month and by calendar year, for everybody and for each group: people, and their
-- months. In a month each person has one month, so both are the same number.
{% set counts = month_counts() %}
{% set coded = coded_stratum_kinds() %}
{% set named = ['state'] + area_stratum_kinds() %}
with month_cells as (
    select
        service_month,
        age,
        {% for kind in named + coded %}
            {{ kind }},
        {% endfor %}
        {% for name in counts %}
            sum({{ name }}) as {{ name }},
        {% endfor %}
        count(*) as people
    from {{ ref('fct_person_months') }}
    group by
        {% for kind in named + coded %}
            {{ kind }},
        {% endfor %}
        service_month,
        age
),

month_groups as (
    {% for kind in ['everybody'] + stratum_kinds() %}
        select
            cells.service_month,
            '{{ kind }}' as group_kind,
            {% if kind == 'everybody' %}
                'everybody' as group_value,
            {% elif kind in named %}
                coalesce(cells.{{ kind }}, 'unknown') as group_value,
            {% else %}
                coalesce(named.group_value, 'unknown') as group_value,
            {% endif %}
            {% for name in counts %}
                cells.{{ name }},
            {% endfor %}
            cells.people
        from month_cells as cells
        {% if kind == 'age_band' %}
            left join {{ age_groups() }} as named
                on
                    cells.age = named.age
                    and {{ in_force('named', 'cells.service_month') }}
        {% elif kind in coded %}
            left join {{ ref('stratum_codes') }} as named
                on
                    named.group_kind = '{{ kind }}'
                    and cells.{{ kind }} = named.source_code
                    and {{ in_force('named', 'cells.service_month') }}
        {% endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

limits as (
    select max(case when limit_name = 'lasting_paid_months' then limit_value end) as lasting_paid_months
    from {{ ref('measure_limits') }}
),

year_groups as (
    {% for kind in ['everybody'] + stratum_kinds() %}
        select
            make_date(years.service_year, 1, 1) as period_start,
            '{{ kind }}' as group_kind,
            {{ "'everybody'" if kind == 'everybody' else 'years.' ~ kind }} as group_value,
            {% for name in counts %}
                years.{{ name }}_months,
            {% endfor %}
            case when years.paid_months >= limits.lasting_paid_months then 1 else 0 end as lasting
        from {{ ref('fct_person_years') }} as years
        cross join limits
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    'month' as period,
    service_month as period_start,
    group_kind,
    group_value,
    {% for name in counts %}
        cast(sum({{ name }}) as bigint) as {{ name }}_months,
        cast(sum({{ name }}) as bigint) as {{ name }}_people,
    {% endfor %}
    cast(null as bigint) as lasting_people
from month_groups
group by service_month, group_kind, group_value
union all
select
    'year' as period,
    period_start,
    group_kind,
    group_value,
    {% for name in counts %}
        cast(sum({{ name }}_months) as bigint) as {{ name }}_months,
        cast(sum(case when {{ name }}_months > 0 then 1 else 0 end) as bigint) as {{ name }}_people,
    {% endfor %}
    cast(sum(lasting) as bigint) as lasting_people
from year_groups
group by period_start, group_kind, group_value
