-- F28: CCM was paid for a person whose claims show fewer chronic conditions than the programme asks for, and whose practice's
-- problem list does not document the rest.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F28'
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from {{ ref('subject_lines') }}
    where is_ccm
),

-- Only where claims show too few: conditions on claims and those on problem lists by the end of the month, together.
short as (
    select
        subjects.subject_id,
        subjects.beneficiary_id,
        subjects.service_month,
        months.definition,
        months.counting_set
    from subjects
    inner join {{ ref('fct_eligibility_criteria') }} as criterion
        on
            subjects.beneficiary_id = criterion.beneficiary_id
            and subjects.service_month = criterion.service_month
            and criterion.criterion = 'two_conditions'
            and criterion.status in ('fail', 'cannot_assess')
    inner join {{ ref('fct_condition_months') }} as months
        on
            subjects.beneficiary_id = months.beneficiary_id
            and subjects.service_month = months.service_month
),

named as (
    select
        short.subject_id,
        on_claims.condition,
        true as is_dated
    from short
    inner join {{ ref('fct_month_conditions') }} as on_claims
        on
            short.beneficiary_id = on_claims.beneficiary_id
            and short.service_month = on_claims.service_month
            and on_claims.is_counted
    union all
    select
        short.subject_id,
        problems.condition,
        problems.recorded_date is not null as is_dated
    from short
    inner join {{ ref('fct_problem_conditions') }} as problems
        on
            short.beneficiary_id = problems.beneficiary_id
            and short.definition = problems.definition
            and coalesce(short.service_month + interval 1 month > problems.recorded_date, true)
            and coalesce(short.service_month <= problems.resolved_date, true)
    inner join {{ ref('condition_counting_sets') }} as sets
        on
            short.definition = sets.definition
            and short.counting_set = sets.counting_set
            and problems.condition = sets.condition
),

documented as (
    select
        named.subject_id,
        count(distinct named.condition) filter (where named.is_dated) as conditions,
        count(distinct named.condition) as conditions_at_most
    from named
    group by named.subject_id
),

judged as (
    select
        subjects.rule_id,
        subjects.subject_id,
        criterion.status,
        criterion.observed,
        criterion.required,
        documented.conditions,
        coalesce(documented.conditions >= limits.limit_value, false) as is_documented,
        -- an entry without a date may have come later
        coalesce(documented.conditions_at_most >= limits.limit_value, false) as may_be_documented
    from subjects
    left join {{ ref('fct_eligibility_criteria') }} as criterion
        on
            subjects.beneficiary_id = criterion.beneficiary_id
            and subjects.service_month = criterion.service_month
            and criterion.criterion = 'two_conditions'
    left join documented on subjects.subject_id = documented.subject_id
    left join {{ ref('eligibility_limits') }} as limits
        on
            limits.criterion = 'two_conditions'
            and {{ in_force('limits', 'subjects.service_month') }}
),

assessed as (
    select
        rule_id,
        subject_id,
        {{ rule_status(
            not_applicable="status = 'not_applicable'",
            fail="status = 'fail' and not may_be_documented",
            pass="status = 'pass' or is_documented"
        ) }} as status,
        case
            when status in ('fail', 'cannot_assess') and is_documented
                then cast(conditions as {{ dbt.type_string() }}) || ' with the problem list'
            when status = 'fail' and may_be_documented then 'entries of the problem list without a date'
            else observed
        end as observed,
        required,
        false as is_certain
    from judged
)

{{ rule_rows() }}
