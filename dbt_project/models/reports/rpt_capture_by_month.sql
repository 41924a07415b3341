-- People and dollars in each capture state by month. Each month's states add up to its people.
with months as (
    select
        service_month,
        count(*) as people_in_month
    from {{ ref('capture_months') }}
    group by service_month
),

cells as (
    select
        capture.service_month,
        capture.state,
        months.people_in_month,
        count(*) as people,
        cast(sum(capture.gap_usd) as decimal(14, 2)) as gap_usd,
        cast(sum(coalesce(capture.potential_usd, 0)) as decimal(14, 2)) as potential_usd,
        cast(sum(capture.billed_usd) as decimal(14, 2)) as billed_usd,
        cast(sum(capture.paid_usd) as decimal(14, 2)) as paid_usd
    from {{ ref('capture_months') }} as capture
    inner join months on capture.service_month = months.service_month
    group by capture.service_month, capture.state, months.people_in_month
),

suppressed as (
    {{ suppress_lines('cells', ['service_month'], 'people', ['state']) }}
)

select
    service_month,
    state,
    case when not is_suppressed then people end as people,
    case when not hides_total and people_in_month > limit_value then people_in_month end as people_in_month,
    case when not is_suppressed then gap_usd end as gap_usd,
    case when not is_suppressed then potential_usd end as potential_usd,
    case when not is_suppressed then billed_usd end as billed_usd,
    case when not is_suppressed then paid_usd end as paid_usd,
    is_suppressed
from suppressed
