-- Where and why each refused row broke the contract, and whether a later batch brought it corrected; the row's own text stays
-- in the quarantine files.
{{ config(materialized='view') }}
with resolved as (
    select
        quarantined_batch_id,
        table_name,
        source_file,
        source_row,
        min(received_date) as resolved_date
    from {{ ref('stg_landing__resolved_rows') }}
    group by quarantined_batch_id, table_name, source_file, source_row
)

select
    quarantined.batch_id,
    quarantined.received_date,
    quarantined.table_name,
    quarantined.source_file,
    quarantined.source_row,
    quarantined.column_name,
    quarantined.reason,
    resolved.resolved_date
from {{ ref('stg_landing__quarantine') }} as quarantined
left join resolved
    on
        quarantined.batch_id = resolved.quarantined_batch_id
        and quarantined.table_name = resolved.table_name
        and quarantined.source_file = resolved.source_file
        and quarantined.source_row = resolved.source_row
