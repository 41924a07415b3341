-- Practitioners: the newest row of each.
select
    npi,
    practice_tin,
    provider_name,
    credential,
    specialty_code
from {{ ref('stg_landing__providers') }}
qualify row_number() over (
    partition by npi, practice_tin
    order by received_date desc, batch_id desc
) = 1
