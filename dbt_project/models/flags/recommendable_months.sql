-- Months that the record supports beyond what was billed: what could be recommended for billing, before any rule is asked.
-- The day is the first on which the bill may be dated: that of the last counted minute.
select
    capture.beneficiary_id,
    capture.service_month,
    cast({{ dbt.last_day('capture.service_month', 'month') }} as date) as month_end,
    capture.practitioner_npi,
    capture.practice_id as practice_tin,
    capture.state,
    capture.state = 'billed_below_record' as is_billed,
    capture.supported_reading,
    capture.supported_codes,
    capture.billed_codes,
    capture.gap_usd,
    record.first_counted_date,
    record.last_counted_date
from {{ ref('capture_months') }} as capture
inner join {{ ref('fct_record_months') }} as record
    on
        capture.beneficiary_id = record.beneficiary_id
        and capture.service_month = record.service_month
        and capture.practitioner_npi = record.practitioner_npi
where capture.state in ('billable_not_billed', 'billed_below_record')
