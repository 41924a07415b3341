-- National amount of every priced code on the last day of every month of the spine, and what one newly served month can earn: the
-- base unit of the pooled reading's lane at least, and its add-ons up to their limits at most.
with months as (
    select distinct
        service_month,
        month_end
    from {{ ref('core_person_months') }}
),

entry_codes as (
    select
        months.service_month,
        ladder.hcpcs_code,
        ladder.code_role = 'base' as is_entry_code,
        unit_limit.units_per_month as most_units
    from months
    inner join {{ ref('billable_readings') }} as readings
        on readings.reading = 'pooled' and {{ in_force('readings', 'months.month_end') }}
    inner join {{ ref('time_ladder') }} as ladder
        on
            readings.lane = ladder.lane
            and {{ in_force('ladder', 'months.month_end') }}
    inner join {{ ref('unit_limits') }} as unit_limit
        on
            ladder.hcpcs_code = unit_limit.hcpcs_code
            and {{ in_force('unit_limit', 'months.month_end') }}
)

select
    months.service_month,
    prices.hcpcs_code,
    prices.nonfacility_usd,
    prices.facility_usd,
    coalesce(entry_codes.is_entry_code, false) as is_entry_code,
    coalesce(entry_codes.most_units, 0) as most_entry_units
from months
inner join {{ ref('fee_schedule_groups') }} as price_groups
    on price_groups.participation = 'unknown' and {{ in_force('price_groups', 'months.month_end') }}
inner join {{ ref('fee_schedule') }} as prices
    on
        price_groups.conversion_factor_group = prices.conversion_factor_group
        and {{ in_force('prices', 'months.month_end') }}
left join entry_codes
    on months.service_month = entry_codes.service_month and prices.hcpcs_code = entry_codes.hcpcs_code
