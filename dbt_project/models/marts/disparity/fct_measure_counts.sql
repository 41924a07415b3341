-- Counts that the measures are made of, by month and by calendar year, for everybody and for each group: people, and their
-- months. In a month each person has one month, so both are the same number.
{% set counts = month_counts() %}
{% set by_code = coded_stratum_kinds() + ['state'] %}
with month_codes as (
    select
        service_month,
        case
            {% for kind in by_code %}
                when grouping({{ kind }}) = 0 then '{{ kind }}'
            {% endfor %}
            when grouping(age) = 0 then 'age_band'
            else 'everybody'
        end as group_kind,
        case
            {% for kind in by_code %}
                when grouping({{ kind }}) = 0 then {{ kind }}
            {% endfor %}
        end as source_code,
        age,
        {% for name in counts %}
            sum({{ name }}) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('fct_person_months') }}
    group by grouping sets ((service_month){% for kind in by_code %}, (service_month, {{ kind }}){% endfor %}, (service_month, age))
),

months as (
    select
        'month' as period,
        codes.service_month as period_start,
        codes.group_kind,
        case
            when codes.group_kind = 'everybody' then codes.group_kind
            when codes.group_kind = 'state' then coalesce(codes.source_code, 'unknown')
            else coalesce(named.group_value, ages.group_value, 'unknown')
        end as group_value,
        {% for name in counts %}
            sum(codes.{{ name }}) as {{ name }}_months,
            sum(codes.{{ name }}) as {{ name }}_people,
        {% endfor %}
        cast(null as bigint) as lasting_people
    from month_codes as codes
    left join {{ ref('stratum_codes') }} as named
        on
            codes.group_kind = named.group_kind
            and codes.source_code = named.source_code
            and {{ in_force('named', 'codes.service_month') }}
    left join {{ ref('age_bands') }} as ages
        on
            codes.group_kind = 'age_band'
            and codes.age between ages.from_age and ages.to_age
            and {{ in_force('ages', 'codes.service_month') }}
    group by
        codes.service_month,
        codes.group_kind,
        case
            when codes.group_kind = 'everybody' then codes.group_kind
            when codes.group_kind = 'state' then coalesce(codes.source_code, 'unknown')
            else coalesce(named.group_value, ages.group_value, 'unknown')
        end
),

limits as (
    select max(case when limit_name = 'lasting_paid_months' then limit_value end) as lasting_paid_months
    from {{ ref('measure_limits') }}
),

years as (
    select
        'year' as period,
        make_date(years.service_year, 1, 1) as period_start,
        case
            {% for kind in stratum_kinds() %}
                when grouping(years.{{ kind }}) = 0 then '{{ kind }}'
            {% endfor %}
            else 'everybody'
        end as group_kind,
        case
            {% for kind in stratum_kinds() %}
                when grouping(years.{{ kind }}) = 0 then years.{{ kind }}
            {% endfor %}
            else 'everybody'
        end as group_value,
        {% for name in counts %}
            sum(years.{{ name }}_months) as {{ name }}_months,
            sum(case when years.{{ name }}_months > 0 then 1 else 0 end) as {{ name }}_people,
        {% endfor %}
        sum(case when years.paid_months >= limits.lasting_paid_months then 1 else 0 end) as lasting_people
    from {{ ref('fct_person_years') }} as years
    cross join limits
    group by grouping sets (
        (years.service_year){% for kind in stratum_kinds() %}, (years.service_year, years.{{ kind }}){% endfor %}
    )
)

{% for table in ['months', 'years'] %}
    select
        period,
        period_start,
        group_kind,
        group_value,
        {% for name in counts %}
            cast({{ name }}_months as bigint) as {{ name }}_months,
            cast({{ name }}_people as bigint) as {{ name }}_people,
        {% endfor %}
        cast(lasting_people as bigint) as lasting_people
    from {{ table }}
    {{ 'union all' if not loop.last }}
{% endfor %}
