-- Encounters from practice or hospital records: the newest row of each encounter_id.
select
    delivered.encounter_id,
    ids.beneficiary_id,
    delivered.encounter_class,
    delivered.start_date,
    delivered.end_date,
    delivered.practitioner_npi,
    delivered.practice_tin,
    delivered.visit_code
from {{ ref('stg_landing__encounters') }} as delivered
inner join {{ ref('core_beneficiary_ids') }} as ids
    on delivered.beneficiary_id = ids.delivered_id
inner join {{ ref('core_deliveries') }} as deliveries
    on delivered.batch_id = deliveries.batch_id
qualify row_number() over (
    partition by delivered.encounter_id
    order by deliveries.delivery_order desc
) = 1
