-- What each criterion of a person-month rests on, as facts; eligibility_months compares them with policy.
with months as (
    select
        months.beneficiary_id,
        months.service_month,
        months.month_end,
        months.is_alive_on_first,
        enrollment.has_part_b,
        enrollment.is_medicare_advantage,
        enrollment.has_hospice_election,
        sum(case when enrollment.has_part_b and not enrollment.is_medicare_advantage then 1 else 0 end) over (
            partition by months.beneficiary_id
            order by months.service_month
            range between interval 12 month preceding and interval 1 month preceding
        ) as observed_months
    from {{ ref('core_person_months') }} as months
    inner join {{ ref('core_enrollment_months') }} as enrollment
        on
            months.beneficiary_id = enrollment.beneficiary_id
            and months.service_month = enrollment.service_month
),

-- Stays of every kind together: days in hospital and in a nursing facility must not be counted twice.
stays as (
    select
        beneficiary_id,
        min(start_date) as start_date,
        max(end_date) as end_date
    from
        (
            select
                *,
                sum(case when latest_end_before is null or start_date > latest_end_before + 1 then 1 else 0 end) over (
                    partition by beneficiary_id
                    order by start_date, end_date, stay_kind
                    rows between unbounded preceding and current row
                ) as stay_number
            from
                (
                    select
                        *,
                        max(end_date) over (
                            partition by beneficiary_id
                            order by start_date, end_date, stay_kind
                            rows between unbounded preceding and 1 preceding
                        ) as latest_end_before
                    from {{ ref('core_stays') }}
                ) as ordered
        ) as numbered
    group by beneficiary_id, stay_number
),

stay_days as (
    select
        months.beneficiary_id,
        months.service_month,
        sum(
            {{ dbt.datediff('greatest(stays.start_date, months.service_month)', 'least(stays.end_date, months.month_end)', 'day') }}
            + 1
        ) as stay_days
    from months
    inner join stays
        on
            months.beneficiary_id = stays.beneficiary_id
            and months.service_month <= stays.end_date
            and months.month_end >= stays.start_date
    group by months.beneficiary_id, months.service_month
),

hospice as (
    select distinct
        months.beneficiary_id,
        months.service_month
    from months
    inner join {{ ref('core_hospice_periods') }} as periods
        on
            months.beneficiary_id = periods.beneficiary_id
            and months.service_month between periods.start_date and periods.end_date
),

esrd as (
    select
        billed.beneficiary_id,
        billed.service_month,
        count(*) as esrd_lines
    from {{ ref('fct_billed_lines') }} as billed
    where billed.family in ('ESRD_MONTHLY', 'ESRD_DAILY') and not billed.is_denied
    group by billed.beneficiary_id, billed.service_month
),

visit_rules as (
    select max(lookback_months) as lookback_months
    from {{ ref('initiating_visit_rules') }}
),

serving_practices as (
    select distinct
        beneficiary_id,
        practice_tin
    from {{ ref('fct_serving_months') }}
),

visit_kinds as (
    select true as is_initiating_only
    union all
    select false as is_initiating_only
),

-- Initiating visits, and visits of any kind: which of the two a month asks for is a matter of its rule.
visits as (
    select
        visits.beneficiary_id,
        visits.practice_tin,
        kinds.is_initiating_only,
        cast({{ dbt.date_trunc('month', 'visits.visit_date') }} as date) as visit_month,
        max(visits.visit_date) as last_visit_date
    from {{ ref('core_visits') }} as visits
    inner join serving_practices
        on
            visits.beneficiary_id = serving_practices.beneficiary_id
            and visits.practice_tin = serving_practices.practice_tin
    inner join visit_kinds as kinds
        on visits.is_initiating_visit or not kinds.is_initiating_only
    group by 1, 2, 3, 4
),

visits_and_the_next as (
    select
        *,
        lead(visit_month) over (
            partition by beneficiary_id, practice_tin, is_initiating_only
            order by visit_month
        ) as next_month
    from visits
),

visits_until_the_next as (
    select
        visits.*,
        least(
            visit_rules.lookback_months,
            coalesce(
                {{ dbt.datediff('visits.visit_month', 'visits.next_month', 'month') }}
                - 1,
                visit_rules.lookback_months
            )
        ) as months_held
    from visits_and_the_next as visits
    cross join visit_rules
),

seen_months as (
    select
        beneficiary_id,
        practice_tin,
        is_initiating_only,
        visit_month,
        last_visit_date,
        {{ unnest_list(integer_list(0, 'months_held')) }} as months_ago
    from visits_until_the_next
),

dated_months as (
    select
        beneficiary_id,
        practice_tin,
        is_initiating_only,
        months_ago,
        last_visit_date,
        cast({{ dbt.dateadd('month', 'months_ago', 'visit_month') }} as date) as service_month
    from seen_months
),

-- The month itself and the look-back before it, as the rule on initiating visits reads them. Each visit stands for the months
-- until the next one, so a practice's last visit is there once a month, and the join to the spine is on equality alone.
visit_months as (
    select
        seen.beneficiary_id,
        seen.practice_tin,
        seen.service_month,
        seen.last_visit_date as last_initiating_visit_date
    from dated_months as seen
    inner join {{ ref('initiating_visit_rules') }} as rules
        on
            {{ in_force('rules', 'seen.service_month') }}
            -- Where the visit is not required of everyone, having seen the person at all is enough.
            and seen.is_initiating_only = (rules.requirement = 'before_first_bill')
    where seen.months_ago <= rules.lookback_months
),

served as (
    select
        serving.beneficiary_id,
        serving.service_month,
        serving.served_by,
        serving.practitioner_npi,
        serving.practice_tin,
        serving.last_visit_date,
        visit_months.last_initiating_visit_date
    from {{ ref('fct_serving_months') }} as serving
    left join visit_months
        on
            serving.beneficiary_id = visit_months.beneficiary_id
            and serving.service_month = visit_months.service_month
            and serving.practice_tin = visit_months.practice_tin
),

consents as (
    select
        served.beneficiary_id,
        served.service_month,
        max(consents.consent_date) as consent_date
    from served
    inner join {{ ref('core_consents') }} as consents
        on
            served.beneficiary_id = consents.beneficiary_id
            and served.practice_tin = consents.practice_tin
            and consents.consent_date <= {{ dbt.last_day('served.service_month', 'month') }}
            -- A withdrawal ends with its month.
            and (consents.revoked_date is null or served.service_month <= consents.revoked_date)
    group by served.beneficiary_id, served.service_month
),

care_plans as (
    select
        served.beneficiary_id,
        served.service_month,
        max(greatest(plans.created_date, coalesce(
            case
                when plans.last_revised_date <= {{ dbt.last_day('served.service_month', 'month') }} then plans.last_revised_date
            end,
            plans.created_date
        ))) as care_plan_date
    from served
    inner join {{ ref('core_care_plans') }} as plans
        on
            served.beneficiary_id = plans.beneficiary_id
            and served.practice_tin = plans.practice_tin
            and plans.created_date <= {{ dbt.last_day('served.service_month', 'month') }}
    group by served.beneficiary_id, served.service_month
)

select
    months.beneficiary_id,
    months.service_month,
    months.month_end,
    programme.is_payable as is_programme_payable,
    months.has_part_b,
    months.is_medicare_advantage,
    months.is_alive_on_first,
    conditions.definition,
    conditions.counting_set,
    coalesce(conditions.condition_count, 0) as condition_count,
    cast(coalesce(months.observed_months, 0) as integer) as observed_months,
    cast(coalesce(stay_days.stay_days, 0) as integer) as stay_days,
    cast(extract(day from months.month_end) as integer) as days_in_month,
    cast(coalesce(esrd.esrd_lines, 0) as integer) as esrd_lines,
    case
        when hospice.beneficiary_id is not null then true
        else coalesce(months.has_hospice_election, false)
    end as is_in_hospice,
    served.served_by,
    served.practitioner_npi,
    served.practice_tin,
    served.last_visit_date,
    served.last_initiating_visit_date,
    consents.consent_date,
    coalesce(records.keeps_consents, false) as keeps_consents,
    care_plans.care_plan_date,
    coalesce(records.keeps_care_plans, false) as keeps_care_plans
from months
left join {{ ref('programme_periods') }} as programme
    on programme.programme = 'CCM' and {{ in_force('programme', 'months.service_month') }}
left join {{ ref('fct_condition_months') }} as conditions
    on months.beneficiary_id = conditions.beneficiary_id and months.service_month = conditions.service_month
left join stay_days
    on months.beneficiary_id = stay_days.beneficiary_id and months.service_month = stay_days.service_month
left join esrd
    on months.beneficiary_id = esrd.beneficiary_id and months.service_month = esrd.service_month
left join hospice
    on months.beneficiary_id = hospice.beneficiary_id and months.service_month = hospice.service_month
left join served
    on months.beneficiary_id = served.beneficiary_id and months.service_month = served.service_month
left join consents
    on months.beneficiary_id = consents.beneficiary_id and months.service_month = consents.service_month
left join care_plans
    on months.beneficiary_id = care_plans.beneficiary_id and months.service_month = care_plans.service_month
left join {{ ref('core_practice_records') }} as records
    on served.practice_tin = records.practice_tin
