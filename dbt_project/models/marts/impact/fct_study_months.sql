-- What a study must know of a person-month to let a person in at it or to compare like with like: eligibility, the practice that sees
-- the person, and the groups. Nothing here looks ahead of the month. A view: a study reads the months it needs.
{{ config(materialized='view') }}
select
    eligibility.beneficiary_id,
    eligibility.service_month,
    coalesce(eligibility.screen_eligible, false) as is_eligible,
    attributed.practice_tin as practice_id,
    eligibility.condition_count,
    eligibility.stay_days,
    enrollment.has_hospice_election,
    people.birth_date,
    coalesce(people.state_code, 'unknown') as state,
    coalesce(ages.group_value, 'unknown') as age_band,
    coalesce(sexes.group_value, 'unknown') as sex,
    coalesce(races.group_value, 'unknown') as race_ethnicity,
    coalesce(duals.group_value, 'unknown') as dual_status,
    coalesce(entitlements.group_value, 'unknown') as entitlement
from {{ ref('eligibility_months') }} as eligibility
inner join {{ ref('core_enrollment_months') }} as enrollment
    on eligibility.beneficiary_id = enrollment.beneficiary_id and eligibility.service_month = enrollment.service_month
left join {{ ref('core_beneficiaries') }} as people on eligibility.beneficiary_id = people.beneficiary_id
left join {{ ref('fct_attribution_months') }} as attributed
    on eligibility.beneficiary_id = attributed.beneficiary_id and eligibility.service_month = attributed.service_month
left join {{ ref('stratum_codes') }} as sexes
    on
        sexes.group_kind = 'sex'
        and people.sex = sexes.source_code
        and {{ in_force('sexes', 'eligibility.service_month') }}
left join {{ ref('stratum_codes') }} as races
    on
        races.group_kind = 'race_ethnicity'
        and people.race_ethnicity_code = races.source_code
        and {{ in_force('races', 'eligibility.service_month') }}
left join {{ ref('stratum_codes') }} as duals
    on
        duals.group_kind = 'dual_status'
        and enrollment.dual_status_code = duals.source_code
        and {{ in_force('duals', 'eligibility.service_month') }}
left join {{ ref('stratum_codes') }} as entitlements
    on
        entitlements.group_kind = 'entitlement'
        and people.original_entitlement_code = entitlements.source_code
        and {{ in_force('entitlements', 'eligibility.service_month') }}
left join {{ age_groups() }} as ages
    on
        cast(floor((
            (extract(year from eligibility.service_month) - extract(year from people.birth_date)) * 12
            + extract(month from eligibility.service_month) - extract(month from people.birth_date)
            - case when extract(day from people.birth_date) > 1 then 1 else 0 end
        ) / 12) as integer) = ages.age
        and {{ in_force('ages', 'eligibility.service_month') }}
