select
    activity_id,
    beneficiary_id,
    practitioner_npi,
    practice_tin,
    staff_id,
    staff_credential,
    staff_country_code,
    supervision,
    started_at,
    seconds,
    activity,
    programme,
    decision_making_level,
    is_voided,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'care_management_time') }}
where received_date <= cast('{{ var("as_of") }}' as date)
