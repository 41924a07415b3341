-- People and dollars in each capture state by month. Each month's states add up to its people; provisional months say so.
select
    cells.service_month,
    cells.state_order,
    cells.state,
    case when not cells.is_suppressed then cells.people end as people,
    case when not cells.hides_total and cells.people_in_month > cells.limit_value then cells.people_in_month end as people_in_month,
    case when not cells.is_suppressed then cells.gap_usd end as gap_usd,
    case when not cells.is_suppressed then cells.potential_usd end as potential_usd,
    case when not cells.is_suppressed then cells.billed_usd end as billed_usd,
    case when not cells.is_suppressed then cells.paid_usd end as paid_usd,
    cells.is_suppressed,
    cast(null as date) as held_from,
    cast(null as date) as total_held_from,
    coalesce(run_out.run_out_state, 'cannot_assess') as run_out_state
from {{ ref('int_capture_cells') }} as cells
left join {{ ref('fct_run_out_months') }} as run_out
    on cells.service_month = run_out.service_month
