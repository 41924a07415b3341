select
    practice_tin,
    practice_name,
    facility_ccn,
    practice_type,
    state_code,
    zip_code,
    aco_id,
    pricing_locality,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'practices') }}
where received_date <= cast('{{ var("as_of") }}' as date)
