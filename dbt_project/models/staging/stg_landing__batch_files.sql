select
    batch_id,
    received_date,
    format,
    source_file,
    sha256,
    rows_in,
    rows_landed,
    rows_quarantined
from {{ source('landing', 'batch_files') }}
where received_date <= cast('{{ var("as_of") }}' as date)
