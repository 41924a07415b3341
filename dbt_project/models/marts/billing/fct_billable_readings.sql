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
),

-- Clinics whose months of that time are billed by one code, whatever the programme.
bundles as (
    select
        practices.practice_tin,
        bundles.*
    from {{ ref('core_practices') }} as practices
    inner join {{ ref('clinic_bundles') }} as bundles on practices.practice_type = bundles.practice_type
),

-- The month is one unit of that code where any reading earns a base code; its minutes are those of the fullest reading.
bundled as (
    select
        earned.beneficiary_id,
        earned.service_month,
        earned.month_end,
        earned.practitioner_npi,
        earned.practice_tin,
        'clinic_bundle' as reading,
        bundles.lane,
        bundles.preference,
        max(earned.minutes) as minutes,
        bundles.hcpcs_code,
        'base' as code_role,
        1 as units
    from earned
    inner join bundles
        on
            earned.practice_tin = bundles.practice_tin
            and {{ in_force('bundles', 'earned.month_end') }}
    where earned.code_role = 'base'
    group by
        earned.beneficiary_id, earned.service_month, earned.month_end, earned.practitioner_npi, earned.practice_tin,
        bundles.lane, bundles.preference, bundles.hcpcs_code
),

supported as (
    select earned.*
    from earned
    left join bundles
        on
            earned.practice_tin = bundles.practice_tin
            and bundles.is_only_way
            and {{ in_force('bundles', 'earned.month_end') }}
    where bundles.practice_tin is null
    union all
    select *
    from bundled
)

select
    supported.beneficiary_id,
    supported.service_month,
    supported.practitioner_npi,
    supported.practice_tin,
    supported.reading,
    supported.lane,
    supported.minutes,
    supported.hcpcs_code,
    supported.code_role,
    supported.units,
    {{ paid_price('nonfacility_usd') }} as unit_nonfacility_usd,
    {{ paid_price('facility_usd') }} as unit_facility_usd,
    cast(supported.units * {{ paid_price('nonfacility_usd') }} as decimal(12, 2)) as fee_schedule_usd,
    coalesce(by_locality.price_region, 'national') as price_region,
    min(supported.preference) over (
        partition by supported.beneficiary_id, supported.service_month, supported.practitioner_npi
    ) = supported.preference as is_preferred
from supported
left join {{ ref('fee_schedule_groups') }} as price_groups
    on price_groups.participation = 'unknown' and {{ in_force('price_groups', 'supported.month_end') }}
left join {{ ref('fee_schedule') }} as prices
    on
        supported.hcpcs_code = prices.hcpcs_code
        and price_groups.conversion_factor_group = prices.conversion_factor_group
        and {{ in_force('prices', 'supported.month_end') }}
{{ local_price_joins('supported', 'supported.month_end') }}
