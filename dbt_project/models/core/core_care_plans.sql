-- Comprehensive care plans: the newest row of each care_plan_id.
select
    delivered.care_plan_id,
    ids.beneficiary_id,
    delivered.practitioner_npi,
    delivered.practice_tin,
    delivered.created_date,
    delivered.last_revised_date,
    delivered.given_to_patient_date
from {{ ref('stg_landing__care_plans') }} as delivered
inner join {{ ref('core_beneficiary_ids') }} as ids
    on delivered.beneficiary_id = ids.delivered_id
inner join {{ ref('core_deliveries') }} as deliveries
    on delivered.batch_id = deliveries.batch_id
qualify row_number() over (
    partition by delivered.care_plan_id
    order by deliveries.delivery_order desc
) = 1
