-- Where and why each refused row broke the contract; the row's own text stays in the quarantine files.
{{ config(materialized='view') }}
select
    batch_id,
    received_date,
    table_name,
    source_file,
    source_row,
    column_name,
    reason
from {{ ref('stg_landing__quarantine') }}
