select
    request_id,
    beneficiary_id,
    practice_tin,
    since_date,
    until_date,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'do_not_contact') }}
where received_date <= cast('{{ var("as_of") }}' as date)
