select
    claim_id,
    claim_version,
    line_number,
    role,
    position,
    diagnosis_code,
    icd_version,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'claim_diagnoses') }}
where received_date <= cast('{{ var("as_of") }}' as date)
