select
    pricing_locality,
    locality_name,
    effective_from,
    effective_to,
    work_gpci,
    practice_gpci,
    malpractice_gpci,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'locality_gpci') }}
where received_date <= cast('{{ var("as_of") }}' as date)
