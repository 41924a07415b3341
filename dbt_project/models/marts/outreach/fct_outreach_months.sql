-- People whom nobody serves, with what was known of them when a month ended: the last month, and months before it that are as far apart
-- as need is foretold ahead, so that what one month foretells is over when the next one begins. Nothing here looks past the month's
-- last day, and nothing is a cost. Groups are carried for the fairness report; no model may read them.
with limits as (
    select
        max(case when limit_name = 'horizon_months' then limit_value end) as horizon_months
    from {{ ref('outreach_limits') }}
),

windows as (
    select
        max(case when criterion = 'recent_ccm_window' then limit_value end) as ccm_months
    from {{ ref('eligibility_limits') }}
),

months as (
    select
        months.service_month,
        max(months.month_end) as month_end
    from {{ ref('core_person_months') }} as months
    group by months.service_month
),

-- The last month is listed; what is learnt from ends where claims have run out.
bounds as (
    select
        max(months.service_month) as last_month,
        coalesce(
            max(case when run_out.run_out_state = 'complete' then months.service_month end), max(months.service_month)
        ) as last_complete_month
    from months
    left join {{ ref('fct_run_out_months') }} as run_out on months.service_month = run_out.service_month
),

snapshots as (
    select
        months.service_month,
        months.month_end,
        months.service_month = bounds.last_month as is_last_month,
        cast({{ dbt.dateadd('month', '-11', 'months.service_month') }} as date) as year_from,
        cast({{ dbt.dateadd('month', '-5', 'months.service_month') }} as date) as half_year_from,
        cast({{ dbt.dateadd('month', '-(windows.ccm_months - 1)', 'months.service_month') }} as date) as unserved_from
    from months
    cross join bounds
    cross join limits
    cross join windows
    where
        months.service_month = bounds.last_month
        or (
            months.service_month < bounds.last_complete_month
            and mod(
                cast(
                    (extract(year from bounds.last_complete_month) - extract(year from months.service_month)) * 12
                    + extract(month from bounds.last_complete_month) - extract(month from months.service_month) as integer
                ),
                cast(limits.horizon_months as integer)
            ) = 0
        )
),

served as (
    select distinct
        capture.beneficiary_id,
        snapshots.service_month
    from {{ ref('fct_capture_practitioner_months') }} as capture
    inner join snapshots on capture.service_month between snapshots.unserved_from and snapshots.service_month
),

-- Whom nobody served: of these alone conditions are gathered into lists, which cannot be spilled to disk.
listed as (
    select
        capture.beneficiary_id,
        capture.service_month,
        capture.practice_id,
        capture.practitioner_npi,
        snapshots.is_last_month,
        snapshots.month_end
    from {{ ref('capture_months') }} as capture
    inner join snapshots on capture.service_month = snapshots.service_month
    left join served
        on capture.beneficiary_id = served.beneficiary_id and capture.service_month = served.service_month
    where
        capture.state = 'eligible_not_served'
        and capture.practice_id is not null
        and served.beneficiary_id is null
),

-- Practices that billed CCM in the year: only there could anybody have started.
billing_practices as (
    select distinct
        billed.practice_tin,
        snapshots.service_month
    from {{ ref('fct_billed_lines') }} as billed
    inner join snapshots on billed.service_month between snapshots.year_from and snapshots.service_month
    where billed.family in ('CCM', 'RHC_FQHC') and not billed.is_denied
),

stays as (
    select
        stays.beneficiary_id,
        snapshots.service_month,
        count(*) as admissions_12,
        sum(case when stays.admission_date >= snapshots.half_year_from then 1 else 0 end) as admissions_6,
        sum(case when stays.is_preventable_overall then 1 else 0 end) as preventable_admissions_12,
        sum(case when stays.is_readmission then 1 else 0 end) as readmissions_12
    from {{ ref('fct_acute_stays') }} as stays
    inner join snapshots on stays.admission_date between snapshots.year_from and snapshots.month_end
    group by stays.beneficiary_id, snapshots.service_month
),

discharges as (
    select
        stays.beneficiary_id,
        snapshots.service_month,
        count(*) as discharges_1
    from {{ ref('core_stays') }} as stays
    inner join snapshots on stays.end_date between snapshots.service_month and snapshots.month_end
    group by stays.beneficiary_id, snapshots.service_month
),

emergencies as (
    select
        days.beneficiary_id,
        snapshots.service_month,
        count(*) as emergency_days_12,
        sum(case when days.visit_date >= snapshots.half_year_from then 1 else 0 end) as emergency_days_6,
        sum(case when days.is_preventable then 1 else 0 end) as preventable_emergency_days_12
    from {{ ref('fct_emergency_days') }} as days
    inner join snapshots on days.visit_date between snapshots.year_from and snapshots.month_end
    group by days.beneficiary_id, snapshots.service_month
),

visits as (
    select
        visits.beneficiary_id,
        snapshots.service_month,
        max(visits.visit_date) as last_primary_care_date
    from {{ ref('core_visits') }} as visits
    inner join snapshots on visits.visit_date between snapshots.year_from and snapshots.month_end
    where visits.is_primary_care
    group by visits.beneficiary_id, snapshots.service_month
),

conditions as (
    select
        held.beneficiary_id,
        held.service_month,
        {{ list_agg_distinct('held.condition') }} as conditions
    from {{ ref('fct_month_conditions') }} as held
    inner join listed on held.beneficiary_id = listed.beneficiary_id and held.service_month = listed.service_month
    where held.is_counted
    group by held.beneficiary_id, held.service_month
),

served_before as (
    select
        exposures.beneficiary_id,
        snapshots.service_month
    from {{ ref('fct_ccm_exposures') }} as exposures
    inner join snapshots on exposures.first_paid_month < snapshots.unserved_from
)

select
    listed.beneficiary_id,
    listed.service_month,
    listed.is_last_month,
    listed.practice_id,
    listed.practitioner_npi,
    billing_practices.practice_tin is not null as practice_bills,
    cast(study.condition_count as integer) as condition_count,
    coalesce(conditions.conditions, {{ empty_list() }}) as conditions,
    cast(floor((
        (extract(year from listed.service_month) - extract(year from study.birth_date)) * 12
        + extract(month from listed.service_month) - extract(month from study.birth_date)
    ) / 12) as integer) as age,
    cast(coalesce(stays.admissions_6, 0) as integer) as admissions_6,
    cast(coalesce(stays.admissions_12, 0) as integer) as admissions_12,
    cast(coalesce(stays.preventable_admissions_12, 0) as integer) as preventable_admissions_12,
    cast(coalesce(stays.readmissions_12, 0) as integer) as readmissions_12,
    cast(coalesce(discharges.discharges_1, 0) as integer) as discharges_1,
    cast(coalesce(emergencies.emergency_days_6, 0) as integer) as emergency_days_6,
    cast(coalesce(emergencies.emergency_days_12, 0) as integer) as emergency_days_12,
    cast(coalesce(emergencies.preventable_emergency_days_12, 0) as integer) as preventable_emergency_days_12,
    cast(
        {{ dbt.datediff('visits.last_primary_care_date', 'listed.month_end', 'day') }}
        as integer
    ) as days_since_primary_care,
    cast(coalesce(attributed.share, 0) as double) as practitioner_share,
    served_before.beneficiary_id is not null as was_served_before,
    study.race_ethnicity,
    study.dual_status,
    study.sex,
    study.age_band,
    study.entitlement
from listed
inner join {{ ref('fct_study_months') }} as study
    on listed.beneficiary_id = study.beneficiary_id and listed.service_month = study.service_month
inner join {{ ref('core_beneficiaries') }} as people on listed.beneficiary_id = people.beneficiary_id
left join billing_practices
    on listed.practice_id = billing_practices.practice_tin and listed.service_month = billing_practices.service_month
left join stays on listed.beneficiary_id = stays.beneficiary_id and listed.service_month = stays.service_month
left join discharges
    on listed.beneficiary_id = discharges.beneficiary_id and listed.service_month = discharges.service_month
left join emergencies
    on listed.beneficiary_id = emergencies.beneficiary_id and listed.service_month = emergencies.service_month
left join visits on listed.beneficiary_id = visits.beneficiary_id and listed.service_month = visits.service_month
left join conditions
    on listed.beneficiary_id = conditions.beneficiary_id and listed.service_month = conditions.service_month
left join {{ ref('fct_attribution_months') }} as attributed
    on listed.beneficiary_id = attributed.beneficiary_id and listed.service_month = attributed.service_month
left join served_before
    on listed.beneficiary_id = served_before.beneficiary_id and listed.service_month = served_before.service_month
where coalesce(people.death_date > listed.month_end, true)
