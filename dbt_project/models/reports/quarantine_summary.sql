-- Rows that broke the contract, by batch, table and reason.
select
    batch_id,
    table_name,
    reason,
    count(*) as rows
from {{ ref('core_quarantined_rows') }}
group by batch_id, table_name, reason
