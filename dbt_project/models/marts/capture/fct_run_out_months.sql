-- Whether the claims of a month can be taken as complete: the share of its claims, of those expected in the end, that has been
-- processed by now. Below the limit the month is provisional; where nothing can be said, it is never called complete.
with limits as (
    select
        max(case when limit_name = 'complete_from' then limit_value end) as complete_from,
        max(case when limit_name = 'development_months' then limit_value end) as development_months,
        max(case when limit_name = 'dated_lines' then limit_value end) as dated_lines
    from {{ ref('run_out_limits') }}
),

months as (
    select distinct service_month
    from {{ ref('core_person_months') }}
),

volumes as (
    select
        service_month,
        max(lines_of_month) as lines_of_month,
        max(dated_lines) as dated_lines,
        max(months_seen) as months_seen
    from {{ ref('fct_run_out_lines') }}
    group by service_month
),

-- what is still to come, as far as every step of it is known
expected as (
    select
        volumes.service_month,
        count(factors.development_factor) as known_steps,
        exp(coalesce(sum(ln(factors.development_factor)), 0)) as growth
    from volumes
    left join {{ ref('fct_run_out_factors') }} as factors
        on volumes.months_seen <= factors.lag and factors.development_factor > 0
    group by volumes.service_month
),

judged as (
    select
        months.service_month,
        volumes.months_seen,
        volumes.lines_of_month,
        volumes.dated_lines * 100 >= limits.dated_lines * volumes.lines_of_month as is_dated,
        limits.complete_from,
        case
            when volumes.months_seen >= limits.development_months then 1
            when
                volumes.months_seen >= 0
                and expected.known_steps = limits.development_months - volumes.months_seen
                then round(1 / expected.growth, 6)
        end as completion_factor
    from months
    cross join limits
    left join volumes on months.service_month = volumes.service_month
    left join expected on months.service_month = expected.service_month
)

select
    service_month,
    cast(lines_of_month as bigint) as lines_of_month,
    months_seen,
    case when is_dated then cast(completion_factor as double) end as completion_factor,
    case
        when not coalesce(is_dated, false) then 'cannot_assess'
        when months_seen < 0 then 'provisional'
        when completion_factor is null then 'cannot_assess'
        when completion_factor * 100 >= complete_from then 'complete'
        else 'provisional'
    end as run_out_state
from judged
