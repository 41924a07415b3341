-- People and dollars in each capture state by calendar year: what a month's small cells hide, a year can often show.
-- People are counted once a year and state, so a year is not the sum of its months. Its distance from a shown month, whose
-- people it contains, must not be small; dollars do add up, so they must not leave one hidden month to subtraction.
{% set limit_value = largest_small_cell() %}
with years as (
    select
        cast(extract(year from service_month) as integer) as service_year,
        state,
        count(distinct beneficiary_id) as people,
        cast(sum(gap_usd) as decimal(14, 2)) as gap_usd,
        cast(sum(coalesce(potential_usd, 0)) as decimal(14, 2)) as potential_usd,
        cast(sum(billed_usd) as decimal(14, 2)) as billed_usd,
        cast(sum(paid_usd) as decimal(14, 2)) as paid_usd
    from {{ ref('capture_months') }}
    where has_coverage_row
    group by extract(year from service_month), state
),

months as (
    select
        cast(extract(year from service_month) as integer) as service_year,
        state,
        min(state_order) as state_order,
        max(case when not is_suppressed then people end) as most_people_shown,
        sum(case when is_suppressed then 1 else 0 end) as hidden_months,
        sum(case when is_suppressed then people else 0 end) as hidden_people
    from {{ ref('int_capture_cells') }}
    group by extract(year from service_month), state
),

judged as (
    select
        years.*,
        run_out.run_out_state,
        months.state_order,
        (
            years.people between 1 and {{ limit_value }}
            or coalesce(years.people - months.most_people_shown between 1 and {{ limit_value }}, false)
        ) as is_suppressed,
        {{ hidden_part_is_safe('months.hidden_months', 'months.hidden_people', limit_value) }} as dollars_are_safe
    from years
    inner join months on years.service_year = months.service_year and years.state = months.state
    left join {{ ref('fct_run_out_periods') }} as run_out
        on run_out.period = 'year' and make_date(years.service_year, 1, 1) = run_out.period_start
)

select
    service_year,
    state_order,
    state,
    case when not is_suppressed then people end as people,
    case when not is_suppressed and dollars_are_safe then gap_usd end as gap_usd,
    case when not is_suppressed and dollars_are_safe then potential_usd end as potential_usd,
    case when not is_suppressed and dollars_are_safe then billed_usd end as billed_usd,
    case when not is_suppressed and dollars_are_safe then paid_usd end as paid_usd,
    is_suppressed,
    is_suppressed or not dollars_are_safe as dollars_are_suppressed,
    cast(null as date) as held_from,
    cast(null as date) as dollars_held_from,
    coalesce(run_out_state, 'cannot_assess') as run_out_state
from judged
