-- One state a person-month. A bill is never hidden by eligibility: billing states come first. Where several practitioners
-- billed or recorded, one speaks for the person-month: a billed one before an unbilled, then dollars, then time.
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

stated as (
    select
        eligibility.beneficiary_id,
        eligibility.service_month,
        case
            when spokesman.is_billed and not spokesman.is_recorded then 'billed_record_missing'
            when spokesman.is_billed and spokesman.is_beyond then 'billed_beyond_record'
            when spokesman.is_billed and spokesman.is_below then 'billed_below_record'
            when spokesman.is_billed then 'billed_as_supported'
            when not eligibility.screen_eligible then 'not_eligible'
            when eligibility.screen_eligible is null then 'eligibility_not_assessable'
            when spokesman.supported_codes is not null then 'billable_not_billed'
            when spokesman.is_recorded then 'served_below_threshold'
            else 'eligible_not_served'
        end as state,
        coalesce(spokesman.practice_tin, eligibility.practice_tin) as practice_id,
        coalesce(spokesman.practitioner_npi, eligibility.practitioner_npi) as practitioner_npi,
        spokesman.staff_minutes,
        spokesman.practitioner_minutes,
        spokesman.billed_codes,
        spokesman.supported_codes,
        spokesman.supported_reading,
        spokesman.billed_usd,
        spokesman.supported_usd,
        spokesman.paid_usd
    from {{ ref('eligibility_months') }} as eligibility
    left join spokesman
        on
            eligibility.beneficiary_id = spokesman.beneficiary_id
            and eligibility.service_month = spokesman.service_month
)

select
    stated.beneficiary_id,
    stated.service_month,
    stated.state,
    stated.practice_id,
    stated.practitioner_npi,
    coalesce(stated.staff_minutes, 0) as staff_minutes,
    coalesce(stated.practitioner_minutes, 0) as practitioner_minutes,
    coalesce(stated.billed_codes, {{ empty_list() }}) as billed_codes,
    coalesce(stated.supported_codes, {{ empty_list() }}) as supported_codes,
    stated.supported_reading,
    coalesce(stated.billed_usd, 0) as billed_usd,
    coalesce(stated.supported_usd, 0) as supported_usd,
    cast(case
        -- No gap can be stated without a record to compare with, or for a month that could not be billed.
        when stated.state in ('billed_record_missing', 'not_eligible', 'eligibility_not_assessable') then 0
        else coalesce(stated.supported_usd, 0) - coalesce(stated.billed_usd, 0)
    end as decimal(12, 2)) as gap_usd,
    case when stated.state = 'eligible_not_served' then prices.nonfacility_usd end as potential_usd,
    coalesce(stated.paid_usd, 0) as paid_usd,
    stated.state = 'eligible_not_served' as is_estimated,
    coalesce(records.keeps_time, false) as practice_keeps_time,
    coalesce(run_out.run_out_state, 'cannot_assess') as run_out_state
from stated
left join {{ ref('fct_month_prices') }} as prices
    on stated.service_month = prices.service_month and prices.is_entry_code
left join {{ ref('core_practice_records') }} as records
    on stated.practice_id = records.practice_tin
left join {{ ref('fct_run_out_months') }} as run_out
    on stated.service_month = run_out.service_month
