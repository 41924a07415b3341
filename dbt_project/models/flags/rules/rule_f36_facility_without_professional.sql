-- F36: a facility was paid for CCM, and no practitioner was paid for CCM for the person and month.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F36'
),

-- Clinics are paid on institutional claims alone, so nothing is missing beside theirs.
facility_lines as (
    select *
    from {{ ref('subject_lines') }}
    where is_ccm and claim_type = 'outpatient' and not is_of_clinic
),

professional_months as (
    select distinct
        beneficiary_id,
        service_month
    from {{ ref('subject_lines') }}
    where is_ccm and claim_type = 'carrier'
),

counted as (
    select
        facility_lines.subject_id,
        bool_or(professional_months.beneficiary_id is not null) as has_professional
    from facility_lines
    left join professional_months
        on
            facility_lines.beneficiary_id = professional_months.beneficiary_id
            and facility_lines.service_month = professional_months.service_month
    group by facility_lines.subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from facility_lines
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='not counted.has_professional',
            pass='counted.has_professional'
        ) }} as status,
        case when counted.has_professional then 'a professional payment' else 'no professional payment' end as observed,
        'a professional CCM payment for the person and month' as required,
        false as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
