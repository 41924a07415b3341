-- Problem lists of practices: the newest row of each problem_id.
select
    delivered.problem_id,
    ids.beneficiary_id,
    delivered.practice_tin,
    delivered.diagnosis_code,
    delivered.icd_version,
    delivered.recorded_date,
    delivered.resolved_date
from {{ ref('stg_landing__problems') }} as delivered
inner join {{ ref('core_beneficiary_ids') }} as ids
    on delivered.beneficiary_id = ids.delivered_id
inner join {{ ref('core_deliveries') }} as deliveries
    on delivered.batch_id = deliveries.batch_id
qualify row_number() over (
    partition by delivered.problem_id
    order by deliveries.delivery_order desc
) = 1
