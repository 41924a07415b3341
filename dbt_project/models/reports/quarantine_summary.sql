-- Rows that broke the contract, by batch, table and reason, and how many of them have come in since.
select
    batch_id,
    table_name,
    reason,
    count(*) as rows,
    count(resolved_date) as rows_resolved
from {{ ref('core_quarantined_rows') }}
group by batch_id, table_name, reason
