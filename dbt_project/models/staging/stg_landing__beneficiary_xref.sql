select
    previous_beneficiary_id,
    current_beneficiary_id,
    effective_date,
    obsolete_date,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'beneficiary_xref') }}
where received_date <= cast('{{ var("as_of") }}' as date)
