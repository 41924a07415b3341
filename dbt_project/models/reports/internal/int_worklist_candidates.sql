-- People who are eligible in the last month and served by nobody, for the practice that sees them most. Person-level.
-- The rule's rank within the practice, which holds where need cannot be foretold and breaks ties where it can: more conditions, then more
-- recent stays and emergency visits, then a later visit (easier to reach, and the initiating visit more likely done); ties by a hash of
-- the identifier, so that the order never depends on names or input.
with last_month as (
    select
        service_month,
        max(month_end) as month_end
    from {{ ref('core_person_months') }}
    where service_month = (select max(months.service_month) from {{ ref('core_person_months') }} as months)
    group by service_month
),

limits as (
    select
        max(case when criterion = 'recent_ccm_window' then limit_value end) as ccm_months,
        max(case when criterion = 'recent_stays_window' then limit_value end) as stay_months
    from {{ ref('eligibility_limits') }}
),

-- Whoever has had a month recorded, or billed by anybody in any programme that excludes CCM (paid or not), is served already.
served_lately as (
    select capture.beneficiary_id
    from {{ ref('fct_capture_practitioner_months') }} as capture
    cross join last_month
    cross join limits
    where capture.service_month > cast({{ dbt.dateadd('month', '-limits.ccm_months', 'last_month.service_month') }} as date)
    union
    select billed.beneficiary_id
    from {{ ref('fct_billed_lines') }} as billed
    cross join last_month
    cross join limits
    where
        billed.service_month > cast({{ dbt.dateadd('month', '-limits.ccm_months', 'last_month.service_month') }} as date)
        and (
            billed.family = 'RHC_FQHC'
            or billed.lane in (
                select lane_a from {{ ref('lane_conflicts') }}
                union
                select lane_b from {{ ref('lane_conflicts') }}
            )
        )
),

stays as (
    select
        stays.beneficiary_id,
        count(*) as recent_stays
    from {{ ref('core_stays') }} as stays
    cross join last_month
    cross join limits
    where
        stays.end_date > cast({{ dbt.dateadd('month', '-limits.stay_months', 'last_month.month_end') }} as date)
        and stays.start_date <= last_month.month_end
    group by stays.beneficiary_id
),

emergencies as (
    select
        days.beneficiary_id,
        count(*) as recent_emergency_visits
    from {{ ref('fct_emergency_days') }} as days
    cross join last_month
    cross join limits
    where
        days.visit_date > cast({{ dbt.dateadd('month', '-limits.stay_months', 'last_month.month_end') }} as date)
        and days.visit_date <= last_month.month_end
    group by days.beneficiary_id
),

conditions as (
    select
        eligibility.beneficiary_id,
        {{ list_agg_distinct('intervals.condition') }} as conditions
    from {{ ref('eligibility_months') }} as eligibility
    inner join last_month on eligibility.service_month = last_month.service_month
    inner join {{ ref('condition_intervals') }} as intervals
        on
            eligibility.beneficiary_id = intervals.beneficiary_id
            and eligibility.definition = intervals.definition
            and last_month.service_month - 1 between intervals.start_date and intervals.end_date
    inner join {{ ref('condition_counting_sets') }} as sets
        on
            eligibility.counting_set = sets.counting_set
            and intervals.definition = sets.definition
            and intervals.condition = sets.condition
    group by eligibility.beneficiary_id
),

candidates as (
    select
        capture.practice_id,
        capture.practitioner_npi,
        capture.beneficiary_id,
        capture.service_month,
        capture.potential_usd as expected_monthly_usd,
        eligibility.condition_count,
        eligibility.last_visit_date,
        eligibility.initiating_visit_status,
        eligibility.consent_status,
        eligibility.care_plan_status,
        conditions.conditions,
        coalesce(stays.recent_stays, 0) as recent_stays,
        coalesce(emergencies.recent_emergency_visits, 0) as recent_emergency_visits,
        limits.ccm_months,
        limits.stay_months
    from {{ ref('capture_months') }} as capture
    inner join last_month on capture.service_month = last_month.service_month
    cross join limits
    inner join {{ ref('eligibility_months') }} as eligibility
        on
            capture.beneficiary_id = eligibility.beneficiary_id
            and capture.service_month = eligibility.service_month
    inner join {{ ref('core_beneficiaries') }} as beneficiaries
        on capture.beneficiary_id = beneficiaries.beneficiary_id
    left join served_lately on capture.beneficiary_id = served_lately.beneficiary_id
    left join stays on capture.beneficiary_id = stays.beneficiary_id
    left join emergencies on capture.beneficiary_id = emergencies.beneficiary_id
    left join conditions on capture.beneficiary_id = conditions.beneficiary_id
    left join {{ ref('int_not_to_contact') }} as not_to_contact on capture.beneficiary_id = not_to_contact.beneficiary_id
    where
        capture.state = 'eligible_not_served'
        and capture.practice_id is not null
        and beneficiaries.death_date is null
        and served_lately.beneficiary_id is null
        and not_to_contact.beneficiary_id is null
)

select
    practice_id,
    cast(row_number() over (
        partition by practice_id
        order by
            condition_count desc,
            recent_stays + recent_emergency_visits desc,
            last_visit_date desc nulls last,
            md5(beneficiary_id) asc
    ) as integer) as rule_rank,
    beneficiary_id,
    practitioner_npi,
    service_month,
    {{ list_non_null([
        "concat('Has ', condition_count, ' chronic conditions on claims')",
        "concat('No care management by anybody in ', ccm_months, ' months')",
        "case when recent_stays = 1 then concat('One hospital or nursing-facility stay in ', stay_months, ' months') "
        ~ "when recent_stays > 1 then concat(recent_stays, ' hospital or nursing-facility stays in ', stay_months, ' months') end",
        "case when recent_emergency_visits = 1 then concat('One emergency visit in ', stay_months, ' months') "
        ~ "when recent_emergency_visits > 1 then concat(recent_emergency_visits, ' emergency visits in ', stay_months, ' months') end",
        "case when last_visit_date is not null then concat('Last seen ', last_visit_date) end"]) }} as reasons,
    conditions,
    condition_count,
    recent_stays,
    recent_emergency_visits,
    last_visit_date,
    {{ list_non_null([
        "case when consent_status <> 'pass' then 'consent' end",
        "case when initiating_visit_status <> 'pass' then 'initiating visit' end",
        "case when care_plan_status <> 'pass' then 'care plan' end"]) }} as missing_to_start,
    expected_monthly_usd
from candidates
