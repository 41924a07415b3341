-- Person-months of everybody. Groups change within a year, so theirs need not.
{% set counts = month_counts() %}
with years as (
    select
        period,
        {% for name in counts %}
            sum({{ name }}_months) as {{ name }}_months,
        {% endfor %}
        extract(year from period_start) as service_year
    from {{ ref('fct_measure_counts') }}
    where group_kind = 'everybody'
    group by period, extract(year from period_start)
)

select years.service_year
from years
left join years as months
    on years.service_year = months.service_year and months.period = 'month'
where
    years.period = 'year'
    and (
        months.service_year is null
        {% for name in counts %}
            or years.{{ name }}_months <> months.{{ name }}_months
        {% endfor %}
    )
