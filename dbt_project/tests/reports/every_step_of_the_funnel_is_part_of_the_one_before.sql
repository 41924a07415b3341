-- Steps with more people than the step before.
select
    later.chain,
    later.step
from {{ ref('int_funnel_counts') }} as earlier
inner join {{ ref('int_funnel_counts') }} as later
    on earlier.chain = later.chain and later.step = earlier.step + 1
where later.people > earlier.people
