-- Whom each criterion of eligibility leaves, in the order in which they are asked: the eligibility steps of the funnel. A
-- person leaves at the first criterion that is not met or cannot be assessed; whoever was billed stays (see int_funnel_counts).
select
    period,
    first_month,
    last_month,
    step as criterion_order,
    step_code as criterion,
    coalesce(criterion_name, step_name) as criterion_name,
    people as people_left,
    dropped as people_dropped,
    is_suppressed,
    held_from
from {{ ref('rpt_funnel') }}
where step <= {{ screen_criteria() | length + 1 }}
