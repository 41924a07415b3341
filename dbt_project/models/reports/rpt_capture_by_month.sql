-- People and dollars in each capture state by month. Each month's states add up to its people.
select
    service_month,
    state_order,
    state,
    case when not is_suppressed then people end as people,
    case when not hides_total and people_in_month > limit_value then people_in_month end as people_in_month,
    case when not is_suppressed then gap_usd end as gap_usd,
    case when not is_suppressed then potential_usd end as potential_usd,
    case when not is_suppressed then billed_usd end as billed_usd,
    case when not is_suppressed then paid_usd end as paid_usd,
    is_suppressed
from {{ ref('int_capture_cells') }}
