-- F31: complex CCM was paid in a month of 2017 to 2019 in which the practice made or revised no care plan.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F31'
),

complex_lines as (
    select lines.*
    from {{ ref('subject_lines') }} as lines
    where
        lines.is_ccm
        and lines.lane in (
            select readings.lane
            from {{ ref('billable_readings') }} as readings
            where readings.needs_complex
        )
),

plans as (
    select
        lines.subject_id,
        bool_and(coalesce(practice.keeps_care_plans, false)) as keeps_care_plans,
        coalesce(bool_or(
            plan.created_date between lines.service_month and {{ dbt.last_day('lines.service_month', 'month') }}
            or plan.last_revised_date between lines.service_month and {{ dbt.last_day('lines.service_month', 'month') }}
        ), false) as is_new,
        -- only the last revision is kept: an earlier one may have been in the month
        coalesce(bool_or(
            plan.created_date < lines.service_month
            and plan.last_revised_date > {{ dbt.last_day('lines.service_month', 'month') }}
        ), false) as may_be_new
    from complex_lines as lines
    left join {{ ref('core_practice_records') }} as practice on lines.practice_tin = practice.practice_tin
    left join {{ ref('core_care_plans') }} as plan
        on
            lines.beneficiary_id = plan.beneficiary_id
            and lines.practice_tin = plan.practice_tin
    group by lines.subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from complex_lines
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='plans.subject_id is null',
            fail='plans.keeps_care_plans and not plans.is_new and not plans.may_be_new',
            pass='plans.is_new'
        ) }} as status,
        case when plans.is_new then 'plan made or revised' else 'no plan made or revised' end as observed,
        'a plan made or revised in the month' as required,
        false as is_certain
    from subjects
    left join plans on subjects.subject_id = plans.subject_id
)

{{ rule_rows() }}
