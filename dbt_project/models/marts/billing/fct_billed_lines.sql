-- Every billed line whose code policy knows as care management, with the family and lane it belongs to and its price that day.
-- A code outside its payable dates is kept (is_in_force false): the family is that of its nearest period.
with codes as (
    select
        hcpcs_code,
        family,
        lane,
        code_role,
        performed_by,
        is_payable,
        effective_from,
        effective_to
    from {{ ref('care_management_codes') }}
),

matched as (
    select
        lines.*,
        codes.family,
        codes.lane,
        codes.code_role,
        codes.performed_by,
        (codes.is_payable and {{ in_force('codes', 'lines.from_date') }}) as is_in_force
    from {{ ref('core_claim_lines') }} as lines
    inner join codes on lines.hcpcs_code = codes.hcpcs_code
    qualify row_number() over (
        partition by lines.claim_line_id
        order by
            case when {{ in_force('codes', 'lines.from_date') }} then 0 else 1 end asc,
            abs({{ dbt.datediff('lines.from_date', 'codes.effective_from', 'day') }}) asc,
            codes.lane asc
    ) = 1
)

select
    matched.claim_line_id,
    matched.claim_id,
    matched.claim_type,
    matched.beneficiary_id,
    matched.service_month,
    matched.from_date,
    matched.through_date,
    matched.rendering_npi as practitioner_npi,
    matched.practice_tin,
    matched.hcpcs_code,
    matched.family,
    matched.lane,
    matched.code_role,
    matched.performed_by,
    matched.units,
    matched.place_of_service_code,
    matched.pricing_locality,
    coalesce(settings.setting, 'nonfacility') as setting,
    matched.allowed_usd,
    matched.paid_usd,
    matched.deductible_usd,
    matched.coinsurance_usd,
    matched.is_denied,
    matched.processed_date,
    matched.is_in_force,
    cast(
        matched.units
        * case when settings.setting = 'facility' then prices.facility_usd else prices.nonfacility_usd end
        as decimal(12, 2)
    ) as fee_schedule_usd
from matched
left join {{ ref('place_of_service_settings') }} as settings
    on
        matched.place_of_service_code = settings.place_of_service_code
        and {{ in_force('settings', 'matched.from_date') }}
left join {{ ref('fee_schedule_groups') }} as price_groups
    on price_groups.participation = 'unknown' and {{ in_force('price_groups', 'matched.from_date') }}
left join {{ ref('fee_schedule') }} as prices
    on
        matched.hcpcs_code = prices.hcpcs_code
        and price_groups.conversion_factor_group = prices.conversion_factor_group
        and {{ in_force('prices', 'matched.from_date') }}
