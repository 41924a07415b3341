-- The chain of the last month, as show_chain reads it, beside the two tables that it could be subtracted from: the capture
-- states of the same month, and the funnel of the whole run, whose people contain the month's.
with hidden as (
    select
        last_step,
        people
    from {{ ref('int_capture_cells') }}
    where is_suppressed and service_month = (select max(service_month) from {{ ref('int_capture_cells') }})
),

cut as (
    select
        counts.step,
        coalesce(sum(case when hidden.last_step < counts.step then 1 else 0 end), 0) as hidden_before,
        coalesce(sum(case when hidden.last_step < counts.step then hidden.people else 0 end), 0) as hidden_sum_before,
        count(hidden.people) as hidden_cells,
        coalesce(sum(hidden.people), 0) as hidden_sum
    from {{ ref('int_funnel_counts') }} as counts
    left join hidden on true
    where counts.chain = 'month'
    group by counts.step
),

wider as (
    select
        months.step,
        min(windows.people) as wider_people
    from {{ ref('int_funnel_counts') }} as months
    inner join {{ ref('int_shown_window_steps') }} as shown
        on shown.is_shown and months.step >= shown.step
    inner join {{ ref('int_funnel_counts') }} as windows
        on shown.chain = windows.chain and shown.step = windows.step
    where months.chain = 'month'
    group by months.step
)

select
    counts.chain,
    counts.step,
    counts.step_rank,
    counts.people,
    cut.hidden_before,
    cut.hidden_sum_before,
    cut.hidden_cells,
    cut.hidden_sum,
    wider.wider_people,
    false as is_barred
from {{ ref('int_funnel_counts') }} as counts
inner join cut on counts.step = cut.step
left join wider on counts.step = wider.step
where counts.chain = 'month'
