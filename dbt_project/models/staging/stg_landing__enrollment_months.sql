select
    beneficiary_id,
    service_month,
    has_part_a,
    has_part_b,
    is_medicare_advantage,
    dual_status_code,
    low_income_subsidy_code,
    medicare_status_code,
    has_hospice_election,
    coverage_grain,
    batch_id,
    received_date,
    source_file,
    source_row
from {{ source('landing', 'enrollment_months') }}
where received_date <= cast('{{ var("as_of") }}' as date)
