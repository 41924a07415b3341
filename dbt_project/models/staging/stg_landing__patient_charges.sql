select
    charge_id,
    beneficiary_id,
    practice_tin,
    service_date,
    charged_usd,
    collected_usd,
    waived_usd,
    waiver_reason,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'patient_charges') }}
where received_date <= cast('{{ var("as_of") }}' as date)
