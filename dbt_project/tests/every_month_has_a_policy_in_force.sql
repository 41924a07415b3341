-- A month without a policy row stops the run with this test: it never borrows a neighbour's.
select
    months.service_month,
    'no policy in force' as reason
from
    (
        select distinct
            service_month,
            month_end
        from {{ ref('core_person_months') }}
    ) as months
left join {{ ref('programme_periods') }} as programme
    on programme.programme = 'CCM' and {{ in_force('programme', 'months.service_month') }}
left join {{ ref('condition_set_in_force') }} as conditions
    on {{ in_force('conditions', 'months.service_month') }}
left join {{ ref('consent_rules') }} as consent
    on {{ in_force('consent', 'months.service_month') }}
left join {{ ref('initiating_visit_rules') }} as visits
    on {{ in_force('visits', 'months.service_month') }}
left join
    (
        select distinct
            prices.effective_from,
            prices.effective_to
        from {{ ref('fee_schedule') }} as prices
        inner join {{ ref('time_ladder') }} as ladder on prices.hcpcs_code = ladder.hcpcs_code
        inner join {{ ref('billable_readings') }} as readings on ladder.lane = readings.lane
    ) as prices
    on {{ in_force('prices', 'months.month_end') }}
where
    programme.programme is null
    or conditions.definition is null
    or (
        programme.is_payable
        and (consent.required_mode is null or visits.requirement is null or prices.effective_from is null)
    )
