-- Every measure as numerator over denominator: by month and year, for everybody and for each group. Not suppressed: what may be
-- shown of it is decided where it is published.
{% for measure, numerator, denominator, kind in measures() %}
    select
        '{{ measure }}' as measure,
        '{{ kind }}' as measure_kind,
        period,
        period_start,
        group_kind,
        group_value,
        {{ numerator }} as numerator,
        {{ denominator }} as denominator,
        {{ denominator | replace('_people', '_months') }} as person_months,
        case when {{ denominator }} > 0 then cast({{ numerator }} as double) / {{ denominator }} end as rate
    from {{ ref('fct_measure_counts') }}
    {% if measure not in monthly_measures() %}where period = 'year'{% endif %}
    {{ 'union all' if not loop.last }}
{% endfor %}
