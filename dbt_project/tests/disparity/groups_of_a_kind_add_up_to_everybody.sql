-- Every count of every period: the groups of a kind are a partition.
{% set counts = month_counts() %}
with sums as (
    select
        period,
        period_start,
        group_kind,
        {% for name in counts %}
            sum({{ name }}_months) as {{ name }}_months,
            sum({{ name }}_people) as {{ name }}_people,
        {% endfor %}
        sum(lasting_people) as lasting_people
    from {{ ref('fct_measure_counts') }}
    group by period, period_start, group_kind
)

select
    sums.period,
    sums.period_start,
    sums.group_kind
from sums
inner join sums as everybody
    on
        sums.period = everybody.period
        and sums.period_start = everybody.period_start
        and everybody.group_kind = 'everybody'
where
    coalesce(sums.lasting_people, 0) <> coalesce(everybody.lasting_people, 0)
    {% for name in counts %}
        or sums.{{ name }}_months <> everybody.{{ name }}_months
        or sums.{{ name }}_people <> everybody.{{ name }}_people
    {% endfor %}
