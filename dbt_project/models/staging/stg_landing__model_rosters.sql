select
    model,
    beneficiary_id,
    practice_tin,
    aligned_from,
    aligned_through,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'model_rosters') }}
where received_date <= cast('{{ var("as_of") }}' as date)
