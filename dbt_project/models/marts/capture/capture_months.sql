-- One state a person-month. A bill is never hidden by eligibility: billing states come first. Where several practitioners
-- billed or recorded, one speaks for the person-month: a billed one before an unbilled, then dollars, then time. A month of
-- which the payer said nothing has a row where somebody billed or recorded it: its eligibility cannot be assessed.
{% set month_end = 'cast(' ~ dbt.last_day('stated.service_month', 'month') ~ ' as date)' %}
with spokesman as (
    select *
    from {{ ref('fct_capture_practitioner_months') }}
    qualify row_number() over (
        partition by beneficiary_id, service_month
        order by
            case when is_billed then 0 else 1 end asc,
            greatest(billed_usd, supported_usd) desc,
            total_seconds desc,
            practitioner_npi asc
    ) = 1
),

-- months that coverage spans as a whole: what was billed before or after them is no part of the run
covered_span as (
    select
        min(service_month) as first_month,
        max(service_month) as last_month
    from {{ ref('eligibility_months') }}
),

people as (
    select
        beneficiary_id,
        service_month,
        screen_eligible,
        practice_tin,
        practitioner_npi,
        true as has_coverage_row
    from {{ ref('eligibility_months') }}
    union all
    select
        spokesman.beneficiary_id,
        spokesman.service_month,
        cast(null as boolean) as screen_eligible,
        cast(null as {{ dbt.type_string() }}) as practice_tin,
        cast(null as {{ dbt.type_string() }}) as practitioner_npi,
        false as has_coverage_row
    from spokesman
    inner join covered_span
        on spokesman.service_month between covered_span.first_month and covered_span.last_month
    left join {{ ref('eligibility_months') }} as eligibility
        on
            spokesman.beneficiary_id = eligibility.beneficiary_id
            and spokesman.service_month = eligibility.service_month
    where eligibility.beneficiary_id is null
),

stated as (
    select
        people.beneficiary_id,
        people.service_month,
        people.has_coverage_row,
        case
            when spokesman.is_billed and not spokesman.is_recorded then 'billed_record_missing'
            when spokesman.is_billed and spokesman.is_beyond then 'billed_beyond_record'
            when spokesman.is_billed and spokesman.is_below then 'billed_below_record'
            when spokesman.is_billed then 'billed_as_supported'
            when not people.screen_eligible then 'not_eligible'
            when people.screen_eligible is null then 'eligibility_not_assessable'
            when spokesman.supported_codes is not null then 'billable_not_billed'
            when spokesman.is_recorded then 'served_below_threshold'
            else 'eligible_not_served'
        end as state,
        coalesce(spokesman.practice_tin, people.practice_tin) as practice_id,
        coalesce(spokesman.practitioner_npi, people.practitioner_npi) as practitioner_npi,
        spokesman.staff_minutes,
        spokesman.practitioner_minutes,
        spokesman.billed_codes,
        spokesman.supported_codes,
        spokesman.supported_reading,
        spokesman.billed_usd,
        spokesman.supported_usd,
        spokesman.supported_low_usd,
        spokesman.supported_high_usd,
        spokesman.price_region,
        spokesman.paid_usd
    from people
    left join spokesman
        on
            people.beneficiary_id = spokesman.beneficiary_id
            and people.service_month = spokesman.service_month
),

-- what a newly served month earns: its first block, in a facility at the least, and every block that units allow at the most
entry_prices as (
    select
        prices.service_month,
        max(case when prices.is_entry_code then prices.nonfacility_usd end) as first_block_usd,
        max(case when prices.is_entry_code then prices.facility_usd end) as low_usd,
        sum(prices.most_entry_units * prices.nonfacility_usd) as high_usd
    from {{ ref('fct_month_prices') }} as prices
    group by prices.service_month
),

local_entry_prices as (
    select
        prices.service_month,
        local_prices.price_region,
        local_prices.participation,
        max(case when prices.is_entry_code then local_prices.nonfacility_usd end) as first_block_usd,
        max(case when prices.is_entry_code then local_prices.facility_usd end) as low_usd,
        sum(prices.most_entry_units * local_prices.nonfacility_usd) as high_usd
    from {{ ref('fct_month_prices') }} as prices
    inner join {{ ref('fct_local_prices') }} as local_prices
        on
            prices.hcpcs_code = local_prices.hcpcs_code
            and {{ in_force('local_prices', 'cast(' ~ dbt.last_day('prices.service_month', 'month') ~ ' as date)') }}
    where prices.most_entry_units > 0
    group by prices.service_month, local_prices.price_region, local_prices.participation
),

priced as (
    select
        stated.*,
        stated.state = 'eligible_not_served' as is_estimated,
        -- No gap can be stated without a record to compare with, or for a month that could not be billed.
        stated.state not in ('billed_record_missing', 'not_eligible', 'eligibility_not_assessable') as has_gap,
        {{ paid_share('coalesce(local_entry.first_block_usd, entry.first_block_usd)') }} as first_block_usd,
        {{ paid_share('coalesce(local_entry.low_usd, entry.low_usd)') }} as entry_low_usd,
        {{ paid_share('coalesce(local_entry.high_usd, entry.high_usd)') }} as entry_high_usd,
        case when local_entry.service_month is not null then local_entry.price_region end as entry_region
    from stated
    left join {{ ref('fct_billing_terms') }} as terms
        on stated.practice_id = terms.practice_tin and stated.practitioner_npi = terms.practitioner_npi
    {{ paid_share_join('terms', month_end) | indent(4) }}
    left join entry_prices as entry on stated.service_month = entry.service_month
    left join local_entry_prices as local_entry
        on
            stated.service_month = local_entry.service_month
            and terms.participation = local_entry.participation
            and coalesce(terms.pricing_locality, 'national') = local_entry.price_region
)

select
    priced.beneficiary_id,
    priced.service_month,
    priced.state,
    priced.practice_id,
    priced.practitioner_npi,
    coalesce(priced.staff_minutes, 0) as staff_minutes,
    coalesce(priced.practitioner_minutes, 0) as practitioner_minutes,
    coalesce(priced.billed_codes, {{ empty_list() }}) as billed_codes,
    coalesce(priced.supported_codes, {{ empty_list() }}) as supported_codes,
    priced.supported_reading,
    coalesce(priced.billed_usd, 0) as billed_usd,
    coalesce(priced.supported_usd, 0) as supported_usd,
    coalesce(priced.supported_low_usd, 0) as supported_low_usd,
    coalesce(priced.supported_high_usd, 0) as supported_high_usd,
    cast(
        case when priced.has_gap then coalesce(priced.supported_usd, 0) - coalesce(priced.billed_usd, 0) else 0 end
        as decimal(12, 2)
    ) as gap_usd,
    case when priced.is_estimated then priced.first_block_usd end as potential_usd,
    case when priced.is_estimated then priced.entry_low_usd end as potential_low_usd,
    cast(case when priced.is_estimated then priced.entry_high_usd end as decimal(12, 2)) as potential_high_usd,
    coalesce(priced.paid_usd, 0) as paid_usd,
    coalesce(case when priced.is_estimated then priced.entry_region else priced.price_region end, 'national') as price_region,
    priced.is_estimated,
    priced.has_coverage_row,
    coalesce(records.keeps_time, false) as practice_keeps_time,
    coalesce(run_out.run_out_state, 'cannot_assess') as run_out_state,
    run_out.completion_factor
from priced
left join {{ ref('core_practice_records') }} as records
    on priced.practice_id = records.practice_tin
left join {{ ref('fct_run_out_months') }} as run_out
    on priced.service_month = run_out.service_month
