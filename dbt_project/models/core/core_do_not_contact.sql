-- Requests not to be contacted: the newest row of each request_id.
select
    delivered.request_id,
    ids.beneficiary_id,
    delivered.practice_tin,
    delivered.since_date,
    delivered.until_date
from {{ ref('stg_landing__do_not_contact') }} as delivered
inner join {{ ref('core_beneficiary_ids') }} as ids
    on delivered.beneficiary_id = ids.delivered_id
inner join {{ ref('core_deliveries') }} as deliveries
    on delivered.batch_id = deliveries.batch_id
qualify row_number() over (
    partition by delivered.request_id
    order by deliveries.delivery_order desc
) = 1
