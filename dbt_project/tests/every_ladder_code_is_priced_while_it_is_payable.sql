-- First and last day of every price period and of every ladder row: a code that the readings of a record can earn has a price on
-- each. The ladders of other programmes tell minutes alone.
with earnable as (
    select ladder.*
    from {{ ref('time_ladder') }} as ladder
    where ladder.lane in (select readings.lane from {{ ref('billable_readings') }} as readings)
),

days as (
    select hcpcs_code, effective_from as on_date from earnable
    union
    select
        hcpcs_code,
        least(effective_to, (select max(effective_to) from {{ ref('programme_periods') }})) as on_date
    from earnable
    union
    select hcpcs_code, effective_from as on_date from {{ ref('fee_schedule') }}
)

select
    days.hcpcs_code,
    days.on_date
from days
inner join earnable as ladder
    on days.hcpcs_code = ladder.hcpcs_code and {{ in_force('ladder', 'days.on_date') }}
left join {{ ref('fee_schedule') }} as prices
    on
        days.hcpcs_code = prices.hcpcs_code
        and {{ in_force('prices', 'days.on_date') }}
        and prices.conversion_factor_group = 'other'
where prices.hcpcs_code is null
