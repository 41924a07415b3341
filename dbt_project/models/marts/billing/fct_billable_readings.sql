-- What a person-month's record supports, under each legal reading of its minutes, by the ladder in force that month.
-- Which lane reads which minutes, what it needs and which reading is preferred are rows of the policy seed billable_readings.
with records as (
    select
        *,
        cast({{ dbt.last_day('service_month', 'month') }} as date) as month_end,
        case
            when total_seconds = practitioner_seconds then 'practitioner_alone'
            else 'practitioner_with_others'
        end as performer
    from {{ ref('fct_record_months') }}
),

counted as (
    select
        records.beneficiary_id,
        records.service_month,
        records.month_end,
        records.practitioner_npi,
        records.practice_tin,
        readings.reading,
        readings.lane,
        readings.preference,
        case readings.minutes_counted
            when 'practitioner' then records.practitioner_minutes
            else records.total_minutes
        end as minutes
    from records
    inner join {{ ref('billable_readings') }} as readings
        on
            {{ in_force('readings', 'records.month_end') }}
            and (not readings.needs_complex or records.is_complex)
            and (readings.performer = 'any' or records.performer = readings.performer)
),

earned as (
    select
        counted.beneficiary_id,
        counted.service_month,
        counted.month_end,
        counted.practitioner_npi,
        counted.practice_tin,
        counted.reading,
        counted.lane,
        counted.preference,
        counted.minutes,
        ladder.hcpcs_code,
        ladder.code_role,
        cast(
            least(
                -- The limit that the rules hold bills to, certain or not: nothing is recommended that a rule would question.
                coalesce(unit_limit.units_per_month, 1 + counted.minutes),
                1 + floor((counted.minutes - ladder.first_minute) / cast(ladder.block_minutes as double))
            ) as integer
        ) as units
    from counted
    inner join {{ ref('time_ladder') }} as ladder
        on
            counted.lane = ladder.lane
            and counted.minutes >= ladder.first_minute
            and {{ in_force('ladder', 'counted.month_end') }}
    left join {{ ref('unit_limits') }} as unit_limit
        on
            ladder.hcpcs_code = unit_limit.hcpcs_code
            and {{ in_force('unit_limit', 'counted.month_end') }}
)

select
    earned.beneficiary_id,
    earned.service_month,
    earned.practitioner_npi,
    earned.practice_tin,
    earned.reading,
    earned.lane,
    earned.minutes,
    earned.hcpcs_code,
    earned.code_role,
    earned.units,
    prices.nonfacility_usd as unit_nonfacility_usd,
    prices.facility_usd as unit_facility_usd,
    cast(earned.units * prices.nonfacility_usd as decimal(12, 2)) as fee_schedule_usd,
    min(earned.preference) over (
        partition by earned.beneficiary_id, earned.service_month, earned.practitioner_npi
    ) = earned.preference as is_preferred
from earned
left join {{ ref('fee_schedule_groups') }} as price_groups
    on price_groups.service = 'default' and {{ in_force('price_groups', 'earned.month_end') }}
left join {{ ref('fee_schedule') }} as prices
    on
        earned.hcpcs_code = prices.hcpcs_code
        and price_groups.conversion_factor_group = prices.conversion_factor_group
        and {{ in_force('prices', 'earned.month_end') }}
