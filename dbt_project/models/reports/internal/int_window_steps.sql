-- The chain of the whole run, as show_chain reads it: no other table cuts it and nothing wider is published.
select
    chain,
    step,
    step_rank,
    people,
    0 as hidden_before,
    0 as hidden_sum_before,
    0 as hidden_cells,
    0 as hidden_sum,
    cast(null as bigint) as wider_people
from {{ ref('int_funnel_counts') }}
where chain = 'window'
