-- F40: the paid level of advanced primary care management does not fit what enrolment and claims say of the person.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F40'
),

levels as (
    select
        lines.subject_id,
        lines.beneficiary_id,
        lines.service_month,
        lines.claim_line_id,
        lines.paid_usd,
        lines.cost_share_usd,
        needs.needs_qmb,
        needs.needs_two_conditions
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('apcm_levels') }} as needs
        on
            lines.hcpcs_code = needs.hcpcs_code
            and {{ in_force('needs', 'lines.service_month') }}
),

judged as (
    select
        levels.*,
        meaning.is_qmb,
        levels.needs_qmb and not meaning.is_qmb as is_not_qmb,
        levels.needs_two_conditions and criterion.status = 'fail' as has_too_few,
        (not levels.needs_qmb or coalesce(meaning.is_qmb, false))
        and (not levels.needs_two_conditions or coalesce(criterion.status = 'pass', false)) as is_fitting
    from levels
    left join {{ ref('core_enrollment_months') }} as enrollment
        on
            levels.beneficiary_id = enrollment.beneficiary_id
            and levels.service_month = enrollment.service_month
    left join {{ ref('dual_status_meanings') }} as meaning
        on
            enrollment.dual_status_code = meaning.dual_status_code
            and {{ in_force('meaning', 'levels.service_month') }}
    left join {{ ref('fct_eligibility_criteria') }} as criterion
        on
            levels.beneficiary_id = criterion.beneficiary_id
            and levels.service_month = criterion.service_month
            and criterion.criterion = 'two_conditions'
),

counted as (
    select
        subject_id,
        coalesce(bool_or(is_not_qmb), false) as is_not_qmb,
        coalesce(bool_or(has_too_few), false) as has_too_few,
        bool_and(is_fitting) as is_fitting
    from judged
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from judged
    where coalesce(is_not_qmb, false) or coalesce(has_too_few, false)
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.is_not_qmb or counted.has_too_few',
            pass='counted.is_fitting'
        ) }} as status,
        case
            when counted.is_not_qmb then 'not a Qualified Medicare Beneficiary'
            when counted.has_too_few then 'fewer than two conditions on claims'
            when counted.is_fitting then 'the level fits'
            else 'not known'
        end as observed,
        'the level of the person' as required,
        coalesce(counted.is_not_qmb or not counted.has_too_few, true) as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
