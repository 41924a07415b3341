-- Lines of professional claims by month of service and months until they were processed, every lag of every month filled in.
-- `months_seen` is the last lag whose calendar month the deliveries cover whole; below 0 the month itself is not over.
with lines as (
    select
        service_month,
        processed_date,
        greatest(0, {{ dbt.datediff('service_month', 'processed_date', 'month') }}) as lag,
        count(*) as lines
    from {{ ref('core_claim_lines') }}
    where claim_type = 'carrier' and not is_denied
    group by service_month, processed_date
),

-- the last calendar month of processing that is delivered whole
seen as (
    select
        cast({{ dbt.dateadd('month', -1, dbt.date_trunc('month', dbt.dateadd('day', 1, 'max(processed_date)'))) }} as date)
            as last_month
    from lines
    where processed_date <= cast('{{ var("as_of") }}' as date)
),

months as (
    select
        lines.service_month,
        sum(lines.lines) as lines,
        sum(case when lines.processed_date is not null then lines.lines else 0 end) as dated_lines
    from lines
    group by lines.service_month
),

lags as (
    select {{ unnest_list(integer_list(0, 'development_months')) }} as lag
    from (
        select max(case when limit_name = 'development_months' then limit_value end) as development_months
        from {{ ref('run_out_limits') }}
    ) as limits
),

counted as (
    select
        service_month,
        lag,
        sum(lines) as lines
    from lines
    where processed_date is not null
    group by service_month, lag
)

select
    months.service_month,
    cast(lags.lag as integer) as lag,
    cast(coalesce(counted.lines, 0) as bigint) as lines,
    cast(months.lines as bigint) as lines_of_month,
    cast(months.dated_lines as bigint) as dated_lines,
    cast(
        {{ dbt.datediff('months.service_month', 'seen.last_month', 'month') }}
        as integer
    ) as months_seen
from months
cross join lags
cross join seen
left join counted on months.service_month = counted.service_month and lags.lag = counted.lag
