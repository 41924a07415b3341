-- The criteria of a month's state add up to the people of the state.
select
    service_month,
    state
from {{ ref('int_attrition_cells') }}
group by service_month, state
having sum(people) != max(people_in_state)
