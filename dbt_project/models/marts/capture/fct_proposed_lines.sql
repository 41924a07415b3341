-- The bill that the record supports of every month that was not billed, or billed below it: what would be sent, so that the rules
-- can be asked about it before anybody sends it. Dated on the month's last day, or the day of death.
select
    'proposed-' || md5(
        capture.beneficiary_id || '|' || cast(capture.service_month as {{ dbt.type_string() }})
        || '|' || capture.practitioner_npi || '|' || readings.hcpcs_code
    ) as claim_line_id,
    'proposed-' || md5(
        capture.beneficiary_id || '|' || cast(capture.service_month as {{ dbt.type_string() }})
        || '|' || capture.practitioner_npi
    ) as claim_id,
    'carrier' as claim_type,
    capture.beneficiary_id,
    capture.service_month,
    least(months.month_end, coalesce(people.death_date, months.month_end)) as from_date,
    capture.practitioner_npi,
    capture.practice_id as practice_tin,
    readings.hcpcs_code,
    codes.family,
    codes.lane,
    codes.code_role,
    codes.performed_by,
    true as is_in_force,
    readings.units,
    cast(null as {{ dbt.type_string() }}) as place_of_service_code,
    'nonfacility' as setting,
    readings.fee_schedule_usd as allowed_usd,
    readings.fee_schedule_usd as paid_usd,
    cast(null as decimal(12, 2)) as deductible_usd,
    cast(null as decimal(12, 2)) as coinsurance_usd,
    cast(null as date) as processed_date
from {{ ref('capture_months') }} as capture
inner join {{ ref('fct_billable_readings') }} as readings
    on
        capture.beneficiary_id = readings.beneficiary_id
        and capture.service_month = readings.service_month
        and capture.practitioner_npi = readings.practitioner_npi
        and capture.supported_reading = readings.reading
inner join {{ ref('core_person_months') }} as months
    on
        capture.beneficiary_id = months.beneficiary_id
        and capture.service_month = months.service_month
inner join {{ ref('care_management_codes') }} as codes
    on
        readings.hcpcs_code = codes.hcpcs_code
        and {{ in_force('codes', 'months.month_end') }}
left join {{ ref('core_beneficiaries') }} as people on capture.beneficiary_id = people.beneficiary_id
where
    capture.state in ('billable_not_billed', 'billed_below_record')
    -- a clinic's one code stands for any programme, so no rule about CCM can be asked: it is not proposed
    and codes.family = 'CCM'
