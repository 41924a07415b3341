-- People at each step from enrolled to paid, in the last month and in any month of the run; every step is part of the one
-- before. `dropped` is the distance from the last step shown, so it can span steps that are hidden.
with shown as (
    select * from {{ ref('int_shown_window_steps') }}
    union all
    select * from {{ ref('int_shown_month_steps') }}
),

months as (
    select
        min(service_month) as first_month,
        max(service_month) as last_month
    from {{ ref('core_person_months') }}
),

steps as (
    select
        counts.chain as period,
        case when counts.chain = 'month' then months.last_month else months.first_month end as first_month,
        months.last_month,
        counts.step,
        counts.step_code,
        counts.step_name,
        counts.criterion_name,
        counts.step_rank < 3 as is_main,
        case when shown.is_shown then counts.people end as people,
        not shown.is_shown as is_suppressed
    from {{ ref('int_funnel_counts') }} as counts
    inner join shown on counts.chain = shown.chain and counts.step = shown.step
    cross join months
)

select
    period,
    first_month,
    last_month,
    step,
    step_code,
    step_name,
    criterion_name,
    is_main,
    people,
    min(people) over (
        partition by period order by step rows between unbounded preceding and 1 preceding
    ) - people as dropped,
    is_suppressed,
    cast(null as date) as held_from
from steps
