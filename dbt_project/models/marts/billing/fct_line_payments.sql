-- What each paid professional care-management line should have cost: by the price of its place and day, the practitioner's share
-- of the schedule, the deductible as billed, coinsurance and sequestration. Expected payment is an estimate wherever it rests on
-- a recalled fact; the two ceilings are not: above them nothing recalled could explain the amount.
{% set bound = "max(case when component = '{}' then highest_index end)" %}
with bounds as (
    select
        {{ bound.format('work') }} as work_bound,
        {{ bound.format('practice') }} as practice_bound,
        {{ bound.format('malpractice') }} as malpractice_bound
    from {{ ref('locality_index_bounds') }}
),

lines as (
    select
        billed.*,
        -- a clinic is paid nationally wherever it is
        case
            when coalesce(terms.practice_type, 'unknown') not in ('rhc', 'fqhc')
                then coalesce(priced_there.pricing_locality, terms.pricing_locality)
        end as known_locality,
        coalesce(terms.participation, 'unknown') as participation,
        terms.credential,
        coalesce(terms.practice_type, 'unknown') in ('rhc', 'fqhc') as is_clinic,
        settings.setting is not null as is_setting_known,
        settings.confidence as setting_confidence
    from {{ ref('fct_billed_lines') }} as billed
    left join {{ ref('fct_billing_terms') }} as terms
        on billed.practice_tin = terms.practice_tin and billed.practitioner_npi = terms.practitioner_npi
    left join (
        select distinct pricing_locality from {{ ref('core_locality_indices') }}
    ) as priced_there
        on billed.pricing_locality = priced_there.pricing_locality
    left join {{ ref('place_of_service_settings') }} as settings
        on
            billed.place_of_service_code = settings.place_of_service_code
            and {{ in_force('settings', 'billed.from_date') }}
    -- a hospital is paid for its part by another system, and its claim carries no price of this one
    where billed.claim_type = 'carrier' or coalesce(terms.practice_type, 'unknown') in ('rhc', 'fqhc')
),

-- Days are compared with periods once a place, code and day, not once a line.
local_days as (
    select distinct
        known_locality,
        hcpcs_code,
        from_date
    from lines
    where known_locality is not null
),

-- the dearest price of a known locality, whatever the setting and the factor
dearest as (
    select
        days.known_locality,
        days.hcpcs_code,
        days.from_date,
        max(greatest(local_prices.nonfacility_usd, local_prices.facility_usd)) as unit_usd
    from local_days as days
    inner join {{ ref('fct_local_prices') }} as local_prices
        on
            days.known_locality = local_prices.price_region
            and days.hcpcs_code = local_prices.hcpcs_code
            and {{ in_force('local_prices', 'days.from_date') }}
    group by days.known_locality, days.hcpcs_code, days.from_date
),

code_days as (
    select distinct
        hcpcs_code,
        from_date
    from lines
),

-- the dearest price that any locality could have
dearest_anywhere as (
    select
        days.hcpcs_code,
        days.from_date,
        max(
            (
                rvus.work_rvu * bounds.work_bound
                + greatest(rvus.nonfacility_practice_rvu, rvus.facility_practice_rvu) * bounds.practice_bound
                + rvus.malpractice_rvu * bounds.malpractice_bound
            )
            * factors.conversion_factor
        ) as unit_usd
    from code_days as days
    inner join {{ ref('relative_values') }} as rvus
        on days.hcpcs_code = rvus.hcpcs_code and {{ in_force('rvus', 'days.from_date') }}
    inner join {{ ref('conversion_factors') }} as factors on {{ in_force('factors', 'days.from_date') }}
    cross join bounds
    group by days.hcpcs_code, days.from_date
),

priced as (
    select
        lines.*,
        price_groups.conversion_factor_group,
        price_groups.is_assumed as is_factor_assumed,
        case
            when by_locality.price_region is not null then 'locality'
            when lines.is_clinic then 'clinic'
            when prices.hcpcs_code is not null then 'national'
            else 'none'
        end as price_basis,
        by_locality.price_region as pricing_locality_used,
        {{ local_price('nonfacility_usd') }} as unit_nonfacility_usd,
        {{ local_price('facility_usd') }} as unit_facility_usd,
        case when by_locality.price_region is not null then 'high' else prices.confidence end as price_confidence,
        case when lines.is_clinic then 100 else coalesce(shares.percent_of_schedule, 100) end as percent_of_schedule,
        shares.confidence as share_confidence,
        sequestration.percent_of_medicare_share as sequestration_percent,
        sequestration.confidence as sequestration_confidence,
        cost_shares.coinsurance_percent,
        dearest.unit_usd as dearest_unit_usd,
        dearest_anywhere.unit_usd as dearest_anywhere_unit_usd
    from lines
    left join {{ ref('fee_schedule_groups') }} as price_groups
        on lines.participation = price_groups.participation and {{ in_force('price_groups', 'lines.from_date') }}
    left join {{ ref('fee_schedule_groups') }} as usual
        on usual.participation = 'unknown' and {{ in_force('usual', 'lines.from_date') }}
    left join {{ ref('fee_schedule') }} as prices
        on
            lines.hcpcs_code = prices.hcpcs_code
            and usual.conversion_factor_group = prices.conversion_factor_group
            and {{ in_force('prices', 'lines.from_date') }}
    left join {{ ref('fct_local_prices') }} as by_locality
        on
            lines.known_locality = by_locality.price_region
            and lines.participation = by_locality.participation
            and lines.hcpcs_code = by_locality.hcpcs_code
            and {{ in_force('by_locality', 'lines.from_date') }}
    left join {{ ref('fct_local_prices') }} as by_factor
        on
            by_factor.price_region = 'national'
            and lines.participation = by_factor.participation
            and lines.hcpcs_code = by_factor.hcpcs_code
            and {{ in_force('by_factor', 'lines.from_date') }}
    left join {{ ref('practitioner_payment_shares') }} as shares
        on lines.credential = shares.credential and {{ in_force('shares', 'lines.from_date') }}
    left join {{ ref('sequestration_periods') }} as sequestration
        on {{ in_force('sequestration', 'lines.from_date') }}
    left join {{ ref('cost_shares') }} as cost_shares
        on cost_shares.service = 'part_b' and {{ in_force('cost_shares', 'lines.from_date') }}
    left join dearest
        on
            lines.known_locality = dearest.known_locality
            and lines.hcpcs_code = dearest.hcpcs_code
            and lines.from_date = dearest.from_date
    left join dearest_anywhere
        on lines.hcpcs_code = dearest_anywhere.hcpcs_code and lines.from_date = dearest_anywhere.from_date
),

in_setting as (
    select
        *,
        case when setting = 'facility' and not is_clinic then unit_facility_usd else unit_nonfacility_usd end as unit_usd
    from priced
),

expected as (
    select
        *,
        cast(round(units * unit_usd * percent_of_schedule / 100.0, 2) as decimal(12, 2)) as expected_allowed_usd
    from in_setting
),

shared as (
    select
        *,
        least(coalesce(deductible_usd, 0), expected_allowed_usd) as expected_deductible_usd,
        cast(round(
            (expected_allowed_usd - least(coalesce(deductible_usd, 0), expected_allowed_usd)) * coinsurance_percent / 100.0, 2
        ) as decimal(12, 2)) as expected_coinsurance_usd
    from expected
)

select
    claim_line_id,
    beneficiary_id,
    service_month,
    from_date,
    practitioner_npi,
    practice_tin,
    hcpcs_code,
    units,
    setting,
    is_setting_known,
    price_basis,
    pricing_locality_used as pricing_locality,
    participation,
    conversion_factor_group,
    is_factor_assumed,
    credential,
    percent_of_schedule,
    price_confidence,
    unit_nonfacility_usd,
    unit_facility_usd,
    expected_allowed_usd,
    cast(expected_deductible_usd + expected_coinsurance_usd as decimal(12, 2)) as expected_cost_share_usd,
    sequestration_percent,
    cast(round(
        (expected_allowed_usd - expected_deductible_usd - expected_coinsurance_usd)
        * (100 - sequestration_percent) / 100.0, 2
    ) as decimal(12, 2)) as expected_medicare_usd,
    {{ list_non_null([
        "case when price_basis = 'national' then 'national_price' end",
        "case when not is_setting_known and not is_clinic then 'place_not_known' end",
        "case when setting = 'facility' and not is_clinic and setting_confidence = 'recalled' then 'setting_recalled' end",
        "case when is_factor_assumed and not is_clinic then 'factor_assumed' end",
        "case when price_confidence != 'high' then 'price_' || price_confidence end",
        "case when percent_of_schedule != 100 and share_confidence = 'recalled' then 'share_recalled' end",
        "case when sequestration_confidence = 'recalled' then 'sequestration_recalled' end",
        "case when is_clinic then 'clinic_rate' end",
    ]) }} as estimated_because,
    cast(round(units * dearest_unit_usd, 2) as decimal(12, 2)) as locality_ceiling_usd,
    cast(round(units * dearest_anywhere_unit_usd, 2) as decimal(12, 2)) as ceiling_anywhere_usd,
    allowed_usd,
    paid_usd,
    is_denied
from shared
