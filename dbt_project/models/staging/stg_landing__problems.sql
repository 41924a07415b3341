select
    problem_id,
    beneficiary_id,
    practice_tin,
    diagnosis_code,
    icd_version,
    recorded_date,
    resolved_date,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'problems') }}
where received_date <= cast('{{ var("as_of") }}' as date)
