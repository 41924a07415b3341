-- F30: the practice holds no care plan for the month, or an old one, or none that was given to the patient.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F30'
),

ccm_lines as (
    select *
    from {{ ref('subject_lines') }}
    where is_ccm
),

subject_practices as (
    select distinct
        subject_id,
        practice_tin
    from ccm_lines
),

kept as (
    select
        subject_practices.subject_id,
        bool_and(coalesce(practice.keeps_care_plans, false)) as keeps_care_plans
    from subject_practices
    left join {{ ref('core_practice_records') }} as practice on subject_practices.practice_tin = practice.practice_tin
    group by subject_practices.subject_id
),

limits as (
    select limit_value
    from {{ ref('eligibility_limits') }}
    where criterion = 'care_plan_age'
),

-- as the plans stood at the end of the month: a revision after it came later
plans as (
    select
        subjects.subject_id,
        max(case
            when plan.last_revised_date < subjects.service_month + interval 1 month then plan.last_revised_date
            else plan.created_date
        end) as plan_date,
        bool_or(plan.given_to_patient_date < subjects.service_month + interval 1 month) as is_given,
        -- only the last revision and the last copy are kept: earlier ones may have been in time
        coalesce(bool_or(plan.last_revised_date >= subjects.service_month + interval 1 month), false) as may_be_current,
        coalesce(bool_or(
            plan.last_revised_date >= subjects.service_month + interval 1 month
            and plan.given_to_patient_date >= plan.last_revised_date
        ), false) as may_be_given
    from subjects
    inner join subject_practices on subjects.subject_id = subject_practices.subject_id
    inner join {{ ref('core_care_plans') }} as plan
        on
            subjects.beneficiary_id = plan.beneficiary_id
            and subject_practices.practice_tin = plan.practice_tin
            and plan.created_date < subjects.service_month + interval 1 month
    group by subjects.subject_id
),

judged as (
    select
        subjects.rule_id,
        subjects.subject_id,
        kept.keeps_care_plans,
        plans.plan_date,
        coalesce(plans.is_given, false) as is_given,
        plans.may_be_current,
        plans.may_be_given,
        plans.plan_date >= cast({{ dbt.dateadd('month', '-limits.limit_value', 'subjects.service_month') }} as date) as is_current
    from subjects
    cross join limits
    left join kept on subjects.subject_id = kept.subject_id
    left join plans on subjects.subject_id = plans.subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from ccm_lines
),

assessed as (
    select
        rule_id,
        subject_id,
        {{ rule_status(
            fail='(plan_date is null and keeps_care_plans) or (not is_current and not may_be_current)
                or (not is_given and not may_be_given)',
            pass='is_current and is_given'
        ) }} as status,
        case
            when plan_date is null and keeps_care_plans then 'no plan'
            when plan_date is null then 'no care-plan records'
            when not is_current and not may_be_current then 'plan of ' || cast(plan_date as {{ dbt.type_string() }})
            when not is_given and not may_be_given then 'plan not given to the patient'
            when not is_current or not is_given then 'plan revised after the month, earlier revisions not kept'
            else 'current plan, given to the patient'
        end as observed,
        'a current plan, given to the patient' as required,
        plan_date is null as is_certain
    from judged
)

{{ rule_rows() }}
