-- Consent to care management: the newest row of each consent_id.
select
    delivered.consent_id,
    ids.beneficiary_id,
    delivered.practitioner_npi,
    delivered.practice_tin,
    delivered.consent_date,
    delivered.consent_mode,
    delivered.revoked_date
from {{ ref('stg_landing__consents') }} as delivered
inner join {{ ref('core_beneficiary_ids') }} as ids
    on delivered.beneficiary_id = ids.delivered_id
inner join {{ ref('core_deliveries') }} as deliveries
    on delivered.batch_id = deliveries.batch_id
qualify row_number() over (
    partition by delivered.consent_id
    order by deliveries.delivery_order desc
) = 1
