select
    encounter_id,
    beneficiary_id,
    encounter_class,
    start_date,
    end_date,
    practitioner_npi,
    practice_tin,
    visit_code,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'encounters') }}
where received_date <= cast('{{ var("as_of") }}' as date)
