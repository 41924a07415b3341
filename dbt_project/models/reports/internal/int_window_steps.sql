-- The chain of the whole run, as show_chain reads it. No line cuts it and nothing wider is published; but everybody of the run
-- contains the people of every month, and a month's total must not lie just below.
with close_months as (
    select count(*) as close_months
    from {{ ref('int_funnel_counts') }} as counts
    inner join {{ ref('int_capture_cells') }} as months
        on
            not months.hides_total
            and counts.people - months.people_in_month between 1 and months.limit_value
    where counts.chain = 'window' and counts.step = 1
)

select
    counts.chain,
    counts.step,
    counts.step_rank,
    counts.people,
    0 as hidden_before,
    0 as hidden_sum_before,
    0 as hidden_cells,
    0 as hidden_sum,
    cast(null as bigint) as wider_people,
    (counts.step = 1 and close_months.close_months > 0) as is_barred
from {{ ref('int_funnel_counts') }} as counts
cross join close_months
where counts.chain = 'window'
