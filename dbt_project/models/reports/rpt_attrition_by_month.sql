-- Where people leave on the way to eligibility, by month: the first criterion not met, of people without a bill in the month. The
-- last month stands in rpt_eligibility_attrition; told twice over, the two could be subtracted from one another.
select
    service_month,
    state,
    criterion_order,
    criterion,
    case when not is_suppressed then people end as people,
    is_suppressed,
    cast(null as date) as held_from
from {{ ref('int_attrition_cells') }}
where service_month < (select max(months.service_month) from {{ ref('core_person_months') }} as months)
