select
    consent_id,
    beneficiary_id,
    practitioner_npi,
    practice_tin,
    consent_date,
    consent_mode,
    revoked_date,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'consents') }}
where received_date <= cast('{{ var("as_of") }}' as date)
