-- How claims develop after the month of service, by the volume-weighted chain ladder: among months seen long enough, the lines
-- processed by lag k + 1 over those processed by lag k. A lag is counted once its calendar month has passed whole.
with limits as (
    select max(case when limit_name = 'development_months' then limit_value end) as development_months
    from {{ ref('run_out_limits') }}
),

triangle as (
    select
        lines.service_month,
        lines.lag,
        lines.months_seen,
        sum(lines.lines) over (
            partition by lines.service_month order by lines.lag rows between unbounded preceding and current row
        ) as lines_by_lag
    from {{ ref('fct_run_out_lines') }} as lines
    where lines.lag <= lines.months_seen
),

steps as (
    select
        earlier.lag,
        sum(earlier.lines_by_lag) as lines_before,
        sum(later.lines_by_lag) as lines_after
    from triangle as earlier
    inner join triangle as later
        on earlier.service_month = later.service_month and earlier.lag + 1 = later.lag
    group by earlier.lag
)

select
    cast(steps.lag as integer) as lag,
    cast(steps.lines_before as bigint) as lines_before,
    cast(steps.lines_after as bigint) as lines_after,
    cast(steps.lines_after as double) / nullif(steps.lines_before, 0) as development_factor
from steps
inner join limits on steps.lag < limits.development_months
