-- What each person-month counts for in the measures, beside the codes of its groups. Whoever was billed counts as eligible and
-- consented: a bill is never hidden by eligibility (see capture_months), so these counts, the funnel and the capture states tell the
-- same people apart. Codes become groups after counting, where there are few rows.
{{ config(materialized='view') }}
with billed as (
    select
        beneficiary_id,
        service_month,
        practice_id,
        case when paid_usd > 0 then 1 else 0 end as is_paid
    from {{ ref('capture_months') }}
    where state like 'billed%'
),

-- A paid month can be followed by another where the next month is on the spine with fee-for-service coverage of a living person.
continuable as (
    select
        paid.beneficiary_id,
        paid.service_month,
        coalesce(following.is_paid, 0) as is_retained
    from billed as paid
    inner join {{ ref('eligibility_months') }} as next_month
        on
            paid.beneficiary_id = next_month.beneficiary_id
            and next_month.service_month = cast({{ dbt.dateadd('month', '1', 'paid.service_month') }} as date)
    left join billed as following
        on
            next_month.beneficiary_id = following.beneficiary_id
            and next_month.service_month = following.service_month
    where
        paid.is_paid = 1
        and next_month.alive_status = 'pass'
        and next_month.part_b_status = 'pass'
        and next_month.fee_for_service_status = 'pass'
),

practised as (
    select
        eligibility.beneficiary_id,
        eligibility.service_month,
        eligibility.screen_eligible,
        eligibility.screen_eligible and eligibility.consent_status = 'pass' as is_consented,
        (
            eligibility.screen_eligible is not null
            and eligibility.alive_status = 'pass'
            and eligibility.part_b_status = 'pass'
            and eligibility.fee_for_service_status = 'pass'
        ) as is_assessable,
        billed.beneficiary_id is not null as is_billed,
        coalesce(billed.is_paid, 0) as paid,
        coalesce(billed.practice_id, eligibility.practice_tin) as practice_id,
        eligibility.condition_count
    from {{ ref('eligibility_months') }} as eligibility
    left join billed
        on
            eligibility.beneficiary_id = billed.beneficiary_id
            and eligibility.service_month = billed.service_month
)

select
    practised.beneficiary_id,
    practised.service_month,
    beneficiaries.race_ethnicity_code as race_ethnicity,
    enrollment.dual_status_code as dual_status,
    enrollment.low_income_subsidy_code as low_income_subsidy,
    beneficiaries.sex,
    cast(floor((
        (extract(year from practised.service_month) - extract(year from beneficiaries.birth_date)) * 12
        + extract(month from practised.service_month) - extract(month from beneficiaries.birth_date)
        - case when extract(day from beneficiaries.birth_date) > 1 then 1 else 0 end
    ) / 12) as integer) as age,
    beneficiaries.original_entitlement_code as entitlement,
    beneficiaries.state_code as state,
    beneficiaries.county_fips_code as county,
    {% for kind in area_stratum_kinds() %}
        coalesce(places.{{ kind }}, 'unknown') as {{ kind }},
    {% endfor %}
    practised.practice_id,
    case when practised.practice_id is null then 'none' else practices.practice_type end as practice_type,
    practised.condition_count,
    1 as enrolled,
    case when practised.is_billed or practised.is_assessable then 1 else 0 end as assessable,
    case when practised.is_billed or practised.screen_eligible then 1 else 0 end as eligible,
    case when practised.is_billed or practised.is_consented then 1 else 0 end as consented,
    case when practised.is_billed then 1 else 0 end as billed,
    practised.paid,
    case when continuable.beneficiary_id is null then 0 else 1 end as continuable,
    coalesce(continuable.is_retained, 0) as retained
from practised
inner join {{ ref('core_enrollment_months') }} as enrollment
    on
        practised.beneficiary_id = enrollment.beneficiary_id
        and practised.service_month = enrollment.service_month
left join {{ ref('core_beneficiaries') }} as beneficiaries
    on practised.beneficiary_id = beneficiaries.beneficiary_id
left join {{ ref('fct_place_groups') }} as places
    on
        coalesce(beneficiaries.zip_code, '') = places.zip_code
        and coalesce(beneficiaries.county_fips_code, '') = places.county_fips_code
        and practised.service_month = places.service_month
left join {{ ref('core_practices') }} as practices
    on practised.practice_id = practices.practice_tin
left join continuable
    on
        practised.beneficiary_id = continuable.beneficiary_id
        and practised.service_month = continuable.service_month
