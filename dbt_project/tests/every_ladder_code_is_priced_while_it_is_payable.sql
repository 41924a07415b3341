-- First and last day of every price period and of every ladder row: a code that can be earned has a price on each.
with days as (
    select hcpcs_code, effective_from as on_date from {{ ref('time_ladder') }}
    union
    select
        hcpcs_code,
        least(effective_to, (select max(effective_to) from {{ ref('programme_periods') }})) as on_date
    from {{ ref('time_ladder') }}
    union
    select hcpcs_code, effective_from as on_date from {{ ref('fee_schedule') }}
)

select
    days.hcpcs_code,
    days.on_date
from days
inner join {{ ref('time_ladder') }} as ladder
    on days.hcpcs_code = ladder.hcpcs_code and {{ in_force('ladder', 'days.on_date') }}
left join {{ ref('fee_schedule') }} as prices
    on
        days.hcpcs_code = prices.hcpcs_code
        and {{ in_force('prices', 'days.on_date') }}
        and prices.conversion_factor_group = 'other'
where prices.hcpcs_code is null
