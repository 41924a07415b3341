-- F25: the only consents in force with the practice name another practitioner.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F25'
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
        bool_and(coalesce(practice.keeps_consents, false)) as keeps_consents
    from subject_practices
    left join {{ ref('core_practice_records') }} as practice on subject_practices.practice_tin = practice.practice_tin
    group by subject_practices.subject_id
),

consents as (
    select
        subjects.subject_id,
        count(*) as consents,
        coalesce(bool_or(coalesce(consent.practitioner_npi, subjects.practitioner_npi) = subjects.practitioner_npi), false)
            as names_practitioner
    from subjects
    inner join {{ ref('core_consents') }} as consent
        on
            subjects.beneficiary_id = consent.beneficiary_id
            and consent.consent_date < subjects.service_month + interval 1 month
            and coalesce(consent.revoked_date, date '9999-12-31') >= subjects.service_month
    left join subject_practices
        on
            subjects.subject_id = subject_practices.subject_id
            and consent.practice_tin = subject_practices.practice_tin
    where subject_practices.practice_tin is not null or consent.practitioner_npi = subjects.practitioner_npi
    group by subjects.subject_id
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
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='kept.keeps_consents and consents.consents is null',
            fail='not consents.names_practitioner',
            pass='consents.names_practitioner'
        ) }} as status,
        case
            when consents.names_practitioner then 'consent names the practitioner'
            when consents.consents is not null then 'consent names another practitioner of the practice'
            when kept.keeps_consents then 'no consent'
            else 'no consent records'
        end as observed,
        'a consent that names the practitioner paid' as required,
        true as is_certain
    from subjects
    left join kept on subjects.subject_id = kept.subject_id
    left join consents on subjects.subject_id = consents.subject_id
)

{{ rule_rows() }}
