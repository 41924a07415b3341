-- Every measure as numerator over denominator: by month and year, for everybody and for each group, with whether the claims of the
-- period can be taken as complete. Not suppressed: what may be shown of it is decided where it is published.
with measured as (
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
)

select
    measured.*,
    coalesce(run_out.run_out_state, 'cannot_assess') as run_out_state
from measured
left join {{ ref('fct_run_out_periods') }} as run_out
    on measured.period = run_out.period and measured.period_start = run_out.period_start
