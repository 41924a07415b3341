select
    npi,
    practice_tin,
    provider_name,
    credential,
    specialty_code,
    is_qualifying_participant,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'providers') }}
where received_date <= cast('{{ var("as_of") }}' as date)
