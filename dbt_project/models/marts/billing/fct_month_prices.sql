-- National amount of every priced code on the last day of every month of the spine, and what one newly served month would earn
-- at least: the base unit of the pooled reading's lane.
with months as (
    select distinct
        service_month,
        month_end
    from {{ ref('core_person_months') }}
),

entry_codes as (
    select
        months.service_month,
        ladder.hcpcs_code
    from months
    inner join {{ ref('billable_readings') }} as readings
        on readings.reading = 'pooled' and {{ in_force('readings', 'months.month_end') }}
    inner join {{ ref('time_ladder') }} as ladder
        on
            readings.lane = ladder.lane
            and ladder.code_role = 'base'
            and {{ in_force('ladder', 'months.month_end') }}
)

select
    months.service_month,
    prices.hcpcs_code,
    prices.nonfacility_usd,
    prices.facility_usd,
    entry_codes.hcpcs_code is not null as is_entry_code
from months
inner join {{ ref('fee_schedule_groups') }} as price_groups
    on price_groups.service = 'default' and {{ in_force('price_groups', 'months.month_end') }}
inner join {{ ref('fee_schedule') }} as prices
    on
        price_groups.conversion_factor_group = prices.conversion_factor_group
        and {{ in_force('prices', 'months.month_end') }}
left join entry_codes
    on months.service_month = entry_codes.service_month and prices.hcpcs_code = entry_codes.hcpcs_code
