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
qualify row_number() over (
    partition by delivered.consent_id
    order by delivered.received_date desc, delivered.batch_id desc
) = 1
