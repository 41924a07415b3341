-- Practices: the newest row of each.
select
    practice_tin,
    practice_name,
    facility_ccn,
    practice_type,
    state_code,
    zip_code,
    aco_id
from {{ ref('stg_landing__practices') }}
qualify row_number() over (
    partition by practice_tin
    order by received_date desc, batch_id desc
) = 1
