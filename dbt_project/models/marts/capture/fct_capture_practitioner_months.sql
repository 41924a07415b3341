-- Each practitioner's month with a person: what was billed beside what the record supports. Billed and supported dollars are
-- priced alike (amounts of the month's last day, local where the locality's indices were brought, the share of the practitioner's
-- credential), so the gap is a difference of units, not of prices.
{% set last_day = 'cast(' ~ dbt.last_day('codes.service_month', 'month') ~ ' as date)' %}
with bundle_codes as (
    select distinct hcpcs_code
    from {{ ref('clinic_bundles') }}
    where family = 'CCM'
),

lines as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        practice_tin,
        claim_type,
        hcpcs_code,
        code_role,
        units,
        setting,
        paid_usd,
        is_denied,
        -- A denied bill counts as billed only where no line of the practitioner-month was accepted.
        bool_or(not is_denied) over (partition by beneficiary_id, service_month, practitioner_npi) as has_accepted_line
    from {{ ref('fct_billed_lines') }}
    where family = 'CCM' or hcpcs_code in (select bundles.hcpcs_code from bundle_codes as bundles)
),

-- a hospital's claim for a service and the professional's are one service billed twice over, not two
billed_by_kind as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        hcpcs_code,
        claim_type,
        min(practice_tin) as practice_tin,
        min(setting) as setting,
        min(code_role) as code_role,
        sum(units) as units,
        sum(coalesce(paid_usd, 0)) as paid_usd
    from lines
    where not is_denied or not has_accepted_line
    group by beneficiary_id, service_month, practitioner_npi, hcpcs_code, claim_type
),

billed_codes as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        hcpcs_code,
        min(practice_tin) as practice_tin,
        -- One setting prices the whole month on both sides: facility as soon as one line was billed there.
        min(min(setting)) over (partition by beneficiary_id, service_month, practitioner_npi) as setting,
        min(code_role) as code_role,
        max(units) as units,
        sum(paid_usd) as paid_usd
    from billed_by_kind
    group by beneficiary_id, service_month, practitioner_npi, hcpcs_code
),

billed as (
    select
        codes.beneficiary_id,
        codes.service_month,
        codes.practitioner_npi,
        min(codes.practice_tin) as practice_tin,
        min(codes.setting) as setting,
        min(case when codes.code_role = 'base' then codes.hcpcs_code end) as base_hcpcs_code,
        -- what a clinic's code stood for is told by nothing but a record that supports it
        min(bundle_codes.hcpcs_code) as bundle_hcpcs_code,
        {{ list_agg_distinct(
            "concat(codes.hcpcs_code, 'x', cast(cast(codes.units as integer) as " ~ dbt.type_string() ~ "))") }} as billed_codes,
        cast(sum(
            codes.units
            * case
                when codes.setting = 'facility' then {{ paid_price('facility_usd') }}
                else {{ paid_price('nonfacility_usd') }}
            end
        ) as decimal(12, 2)) as billed_usd,
        min(coalesce(by_locality.price_region, 'national')) as price_region,
        cast(sum(codes.paid_usd) as decimal(12, 2)) as paid_usd
    from billed_codes as codes
    left join {{ ref('fct_month_prices') }} as prices
        on codes.service_month = prices.service_month and codes.hcpcs_code = prices.hcpcs_code
    {{ local_price_joins('codes', last_day) | indent(4) }}
    left join bundle_codes on codes.hcpcs_code = bundle_codes.hcpcs_code
    group by codes.beneficiary_id, codes.service_month, codes.practitioner_npi
),

-- The reading compared is the legal one that shares the billed base code, else the preferred one.
reading_choices as (
    select
        readings.beneficiary_id,
        readings.service_month,
        readings.practitioner_npi,
        readings.reading,
        coalesce(billed.setting, 'nonfacility') as setting
    from {{ ref('fct_billable_readings') }} as readings
    left join billed
        on
            readings.beneficiary_id = billed.beneficiary_id
            and readings.service_month = billed.service_month
            and readings.practitioner_npi = billed.practitioner_npi
    qualify row_number() over (
        partition by readings.beneficiary_id, readings.service_month, readings.practitioner_npi
        order by
            case when readings.hcpcs_code = billed.base_hcpcs_code then 0 else 1 end asc,
            case when readings.is_preferred then 0 else 1 end asc,
            readings.reading asc,
            readings.hcpcs_code asc
    ) = 1
),

supported_codes as (
    select
        readings.beneficiary_id,
        readings.service_month,
        readings.practitioner_npi,
        readings.reading,
        readings.hcpcs_code,
        readings.units,
        readings.price_region,
        readings.units
        * case
            when choices.setting = 'facility' then readings.unit_facility_usd else readings.unit_nonfacility_usd
        end as supported_usd
    from {{ ref('fct_billable_readings') }} as readings
    inner join reading_choices as choices
        on
            readings.beneficiary_id = choices.beneficiary_id
            and readings.service_month = choices.service_month
            and readings.practitioner_npi = choices.practitioner_npi
            and readings.reading = choices.reading
),

supported as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        min(reading) as reading,
        min(hcpcs_code) as first_hcpcs_code,
        min(price_region) as price_region,
        {{ list_agg_distinct("concat(hcpcs_code, 'x', cast(units as " ~ dbt.type_string() ~ "))") }} as supported_codes,
        cast(sum(supported_usd) as decimal(12, 2)) as supported_usd
    from supported_codes
    group by beneficiary_id, service_month, practitioner_npi
),

-- What the legal readings of the record earn, from the least to the most. An unbilled month has no place yet: it may be either.
reading_dollars as (
    select
        readings.beneficiary_id,
        readings.service_month,
        readings.practitioner_npi,
        readings.reading,
        sum(readings.units * case
            when billed.setting = 'nonfacility' then readings.unit_nonfacility_usd else readings.unit_facility_usd
        end) as low_usd,
        sum(readings.units * case
            when billed.setting = 'facility' then readings.unit_facility_usd else readings.unit_nonfacility_usd
        end) as high_usd
    from {{ ref('fct_billable_readings') }} as readings
    left join billed
        on
            readings.beneficiary_id = billed.beneficiary_id
            and readings.service_month = billed.service_month
            and readings.practitioner_npi = billed.practitioner_npi
    group by readings.beneficiary_id, readings.service_month, readings.practitioner_npi, readings.reading
),

ranges as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        cast(min(low_usd) as decimal(12, 2)) as supported_low_usd,
        cast(max(high_usd) as decimal(12, 2)) as supported_high_usd
    from reading_dollars
    group by beneficiary_id, service_month, practitioner_npi
),

compared as (
    select
        coalesce(billed.beneficiary_id, supported.beneficiary_id) as beneficiary_id,
        coalesce(billed.service_month, supported.service_month) as service_month,
        coalesce(billed.practitioner_npi, supported.practitioner_npi) as practitioner_npi,
        bool_or(coalesce(billed.units, 0) > coalesce(supported.units, 0)) as is_beyond,
        bool_or(coalesce(billed.units, 0) < coalesce(supported.units, 0)) as is_below
    from (
        select * from billed_codes
        where code_role in ('base', 'addon')
    ) as billed
    full outer join supported_codes as supported
        on
            billed.beneficiary_id = supported.beneficiary_id
            and billed.service_month = supported.service_month
            and billed.practitioner_npi = supported.practitioner_npi
            and billed.hcpcs_code = supported.hcpcs_code
    group by 1, 2, 3
),

either as (
    select
        coalesce(billed.beneficiary_id, records.beneficiary_id) as beneficiary_id,
        coalesce(billed.service_month, records.service_month) as service_month,
        coalesce(billed.practitioner_npi, records.practitioner_npi) as practitioner_npi,
        coalesce(billed.practice_tin, records.practice_tin) as practice_tin,
        billed.beneficiary_id is not null as is_billed,
        records.beneficiary_id is not null as is_recorded,
        coalesce(records.staff_minutes, 0) as staff_minutes,
        coalesce(records.practitioner_minutes, 0) as practitioner_minutes,
        coalesce(records.total_seconds, 0) as total_seconds,
        billed.billed_codes,
        billed.bundle_hcpcs_code,
        billed.price_region,
        coalesce(billed.billed_usd, 0) as billed_usd,
        coalesce(billed.paid_usd, 0) as paid_usd
    from billed
    full outer join {{ ref('fct_record_months') }} as records
        on
            billed.beneficiary_id = records.beneficiary_id
            and billed.service_month = records.service_month
            and billed.practitioner_npi = records.practitioner_npi
)

select
    either.beneficiary_id,
    either.service_month,
    either.practitioner_npi,
    either.practice_tin,
    either.is_billed,
    either.is_recorded
    and (either.bundle_hcpcs_code is null or coalesce(supported.first_hcpcs_code = either.bundle_hcpcs_code, false)) as is_recorded,
    either.staff_minutes,
    either.practitioner_minutes,
    either.total_seconds,
    either.billed_codes,
    either.billed_usd,
    either.paid_usd,
    supported.reading as supported_reading,
    supported.supported_codes,
    coalesce(supported.supported_usd, 0) as supported_usd,
    coalesce(ranges.supported_low_usd, 0) as supported_low_usd,
    coalesce(ranges.supported_high_usd, 0) as supported_high_usd,
    coalesce(supported.price_region, either.price_region) as price_region,
    coalesce(compared.is_beyond, false) as is_beyond,
    coalesce(compared.is_below, false) as is_below
from either
left join supported
    on
        either.beneficiary_id = supported.beneficiary_id
        and either.service_month = supported.service_month
        and either.practitioner_npi = supported.practitioner_npi
left join compared
    on
        either.beneficiary_id = compared.beneficiary_id
        and either.service_month = compared.service_month
        and either.practitioner_npi = compared.practitioner_npi
left join ranges
    on
        either.beneficiary_id = ranges.beneficiary_id
        and either.service_month = ranges.service_month
        and either.practitioner_npi = ranges.practitioner_npi
