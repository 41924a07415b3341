-- Practitioners: the newest row of each.
select
    delivered.npi,
    delivered.practice_tin,
    delivered.provider_name,
    delivered.credential,
    delivered.specialty_code,
    delivered.is_qualifying_participant
from {{ ref('stg_landing__providers') }} as delivered
inner join {{ ref('core_deliveries') }} as deliveries
    on delivered.batch_id = deliveries.batch_id
qualify row_number() over (
    partition by delivered.npi, delivered.practice_tin
    order by deliveries.delivery_order desc
) = 1
