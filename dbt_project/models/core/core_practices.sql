-- Practices: the newest row of each.
select
    delivered.practice_tin,
    delivered.practice_name,
    delivered.facility_ccn,
    delivered.practice_type,
    delivered.state_code,
    delivered.zip_code,
    delivered.aco_id,
    delivered.pricing_locality
from {{ ref('stg_landing__practices') }} as delivered
inner join {{ ref('core_deliveries') }} as deliveries
    on delivered.batch_id = deliveries.batch_id
qualify row_number() over (
    partition by delivered.practice_tin
    order by deliveries.delivery_order desc
) = 1
