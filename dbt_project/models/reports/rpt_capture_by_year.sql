-- Person-months and dollars in each capture state by calendar year: what a month's small cells hide, a year can often show.
-- A year's cell is hidden where it is small or where the months' table would give away a hidden month by subtraction.
with cells as (
    select
        extract(year from service_month) as service_year,
        state,
        count(*) as person_months,
        cast(sum(gap_usd) as decimal(14, 2)) as gap_usd,
        cast(sum(coalesce(potential_usd, 0)) as decimal(14, 2)) as potential_usd,
        cast(sum(billed_usd) as decimal(14, 2)) as billed_usd,
        cast(sum(paid_usd) as decimal(14, 2)) as paid_usd
    from {{ ref('capture_months') }}
    group by extract(year from service_month), state
),

hidden_months as (
    select
        extract(year from capture.service_month) as service_year,
        capture.state,
        count(*) as hidden_months,
        sum(months.people) as hidden_people
    from {{ ref('rpt_capture_by_month') }} as capture
    inner join
        (
            select
                service_month,
                state,
                count(*) as people
            from {{ ref('capture_months') }}
            group by service_month, state
        ) as months
        on capture.service_month = months.service_month and capture.state = months.state
    where capture.is_suppressed
    group by extract(year from capture.service_month), capture.state
),

judged as (
    select
        cells.*,
        (
            cells.person_months <= limits.limit_value
            or coalesce(hidden_months.hidden_months = 1 or hidden_months.hidden_people <= limits.limit_value, false)
        ) as is_hidden
    from cells
    cross join {{ ref('disclosure_limits') }} as limits
    left join hidden_months
        on cells.service_year = hidden_months.service_year and cells.state = hidden_months.state
    where limits.limit_name = 'largest_small_cell'
),

-- The year's states add up to a number that is known from the months: one hidden cell alone would be had by subtraction.
partnered as (
    select
        judged.*,
        sum(case when is_hidden then 1 else 0 end) over (partition by service_year) as hidden_cells,
        row_number() over (
            partition by service_year, is_hidden
            order by person_months asc, state asc
        ) as partner_order
    from judged
),

decided as (
    select
        partnered.*,
        (is_hidden or (hidden_cells = 1 and partner_order = 1)) as is_suppressed
    from partnered
)

select
    cast(service_year as integer) as service_year,
    state,
    case when not is_suppressed then person_months end as person_months,
    case when not is_suppressed then gap_usd end as gap_usd,
    case when not is_suppressed then potential_usd end as potential_usd,
    case when not is_suppressed then billed_usd end as billed_usd,
    case when not is_suppressed then paid_usd end as paid_usd,
    is_suppressed
from decided
