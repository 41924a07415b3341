select
    batch_id,
    received_date,
    quarantined_batch_id,
    table_name,
    source_file,
    source_row
from {{ source('landing', 'resolved_rows') }}
where received_date <= cast('{{ var("as_of") }}' as date)
