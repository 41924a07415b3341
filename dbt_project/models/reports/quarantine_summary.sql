-- Rows that broke the contract, by batch, table and reason.
select
    batch_id,
    table_name,
    reason,
    count(*) as rows
from {{ ref('stg_landing__quarantine') }}
group by batch_id, table_name, reason
