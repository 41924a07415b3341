select
    beneficiary_id,
    reference_date,
    birth_date,
    death_date,
    sex,
    race_ethnicity_code,
    race_ethnicity_source,
    state_code,
    county_fips_code,
    zip_code,
    original_entitlement_code,
    has_esrd,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'beneficiaries') }}
where received_date <= cast('{{ var("as_of") }}' as date)
