-- Alignment of people to payment models: the newest row of each person, model and first day.
select
    delivered.model,
    ids.beneficiary_id,
    delivered.practice_tin,
    delivered.aligned_from,
    delivered.aligned_through
from {{ ref('stg_landing__model_rosters') }} as delivered
inner join {{ ref('core_beneficiary_ids') }} as ids
    on delivered.beneficiary_id = ids.delivered_id
inner join {{ ref('core_deliveries') }} as deliveries
    on delivered.batch_id = deliveries.batch_id
qualify row_number() over (
    partition by delivered.model, ids.beneficiary_id, delivered.aligned_from
    order by deliveries.delivery_order desc, delivered.beneficiary_id asc
) = 1
