-- A quarantine file whose batch was never published is left over from a landing that was killed.
-- The offending text itself stays in the quarantine files: nothing downstream needs it.
select
    batch_id,
    received_date,
    table_name,
    source_file,
    source_row,
    column_name,
    reason,
    detail
from {{ source('quarantine', 'quarantine') }}
where
    received_date <= cast('{{ var("as_of") }}' as date)
    and batch_id in (select landed.batch_id from {{ source('landing', 'batch_files') }} as landed)
