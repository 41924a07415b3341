-- Files of each batch: rows in, landed and quarantined. Rows, not people.
select
    batch_id,
    received_date,
    format,
    source_file,
    rows_in,
    rows_landed,
    rows_quarantined
from {{ ref('core_batch_files') }}
