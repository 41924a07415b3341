-- Files of every delivery up to as_of with their row counts.
{{ config(materialized='view') }}
select
    batch_id,
    received_date,
    format,
    source_file,
    rows_in,
    rows_landed,
    rows_quarantined
from {{ ref('stg_landing__batch_files') }}
