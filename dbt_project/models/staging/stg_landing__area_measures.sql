select
    area_kind,
    area_code,
    measure,
    measure_value,
    edition,
    effective_from,
    effective_to,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'area_measures') }}
where received_date <= cast('{{ var("as_of") }}' as date)
