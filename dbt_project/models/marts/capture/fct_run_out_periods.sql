-- Whether the claims of a month or calendar year can be taken as complete: a year as its least complete month.
select
    'month' as period,
    service_month as period_start,
    run_out_state
from {{ ref('fct_run_out_months') }}
union all
select
    'year' as period,
    make_date(cast(extract(year from service_month) as integer), 1, 1) as period_start,
    case
        when bool_or(run_out_state = 'provisional') then 'provisional'
        when bool_and(run_out_state = 'complete') then 'complete'
        else 'cannot_assess'
    end as run_out_state
from {{ ref('fct_run_out_months') }}
group by extract(year from service_month)
