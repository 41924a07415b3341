-- What patients were charged for care management: the newest row of each charge_id.
select
    delivered.charge_id,
    ids.beneficiary_id,
    delivered.practice_tin,
    cast({{ dbt.date_trunc('month', 'delivered.service_date') }} as date) as service_month,
    delivered.service_date,
    delivered.charged_usd,
    delivered.collected_usd,
    delivered.waived_usd,
    delivered.waiver_reason
from {{ ref('stg_landing__patient_charges') }} as delivered
inner join {{ ref('core_beneficiary_ids') }} as ids
    on delivered.beneficiary_id = ids.delivered_id
inner join {{ ref('core_deliveries') }} as deliveries
    on delivered.batch_id = deliveries.batch_id
qualify row_number() over (
    partition by delivered.charge_id
    order by deliveries.delivery_order desc
) = 1
