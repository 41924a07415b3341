-- F35: CCM was paid for a day after death, or for a month outside Part B or in Medicare Advantage.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F35'
),

coverage as (
    select
        subjects.rule_id,
        subjects.subject_id,
        subjects.beneficiary_id,
        eligibility.part_b_status,
        eligibility.fee_for_service_status,
        enrollment.coverage_grain
    from subjects
    left join {{ ref('eligibility_months') }} as eligibility
        on
            subjects.beneficiary_id = eligibility.beneficiary_id
            and subjects.service_month = eligibility.service_month
    left join {{ ref('core_enrollment_months') }} as enrollment
        on
            subjects.beneficiary_id = enrollment.beneficiary_id
            and subjects.service_month = enrollment.service_month
),

ccm_lines as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.paid_usd,
        lines.cost_share_usd,
        coverage.part_b_status = 'fail' or coverage.fee_for_service_status = 'fail' as is_uncovered,
        coalesce(lines.from_date > person.death_date, false) as is_after_death
    from coverage
    inner join {{ ref('subject_lines') }} as lines on coverage.subject_id = lines.subject_id
    left join {{ ref('core_beneficiaries') }} as person on coverage.beneficiary_id = person.beneficiary_id
    where lines.is_ccm
),

deaths as (
    select
        subject_id,
        bool_or(is_after_death) as is_after_death
    from ccm_lines
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from ccm_lines
    where is_uncovered or is_after_death
),

assessed as (
    select
        coverage.rule_id,
        coverage.subject_id,
        {{ rule_status(
            fail="deaths.is_after_death or coverage.part_b_status = 'fail'
                or coverage.fee_for_service_status = 'fail'",
            pass="not deaths.is_after_death and coverage.part_b_status = 'pass'
                and coverage.fee_for_service_status = 'pass'"
        ) }} as status,
        case
            when deaths.is_after_death then 'after death'
            when coverage.part_b_status = 'fail' then 'outside Part B'
            when coverage.fee_for_service_status = 'fail' then 'in Medicare Advantage'
            when coverage.part_b_status = 'pass' and coverage.fee_for_service_status = 'pass' then 'covered'
            else 'coverage unknown'
        end as observed,
        'alive, in Part B and fee-for-service' as required,
        -- that fee-for-service does not pay in Medicare Advantage is recalled; an approximate month proves nothing
        deaths.is_after_death
        or (coverage.part_b_status = 'fail' and coverage.coverage_grain != 'approximate') as is_certain
    from coverage
    left join deaths on coverage.subject_id = deaths.subject_id
)

{{ rule_rows() }}
