-- Person-months of the spine that have no state, or more than one.
select
    months.beneficiary_id,
    months.service_month,
    count(capture.state) as states
from {{ ref('core_person_months') }} as months
left join {{ ref('capture_months') }} as capture
    on months.beneficiary_id = capture.beneficiary_id and months.service_month = capture.service_month
group by months.beneficiary_id, months.service_month
having count(capture.state) <> 1
