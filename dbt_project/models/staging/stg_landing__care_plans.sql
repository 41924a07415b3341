select
    care_plan_id,
    beneficiary_id,
    practitioner_npi,
    practice_tin,
    created_date,
    last_revised_date,
    given_to_patient_date,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'care_plans') }}
where received_date <= cast('{{ var("as_of") }}' as date)
