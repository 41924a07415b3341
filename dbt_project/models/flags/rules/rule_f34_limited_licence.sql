-- F34: CCM was paid to a practitioner whose specialty has a limited licence.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F34'
),

ccm_lines as (
    select *
    from {{ ref('subject_lines') }}
    where is_ccm
),

specialties as (
    select
        subjects.subject_id,
        max(provider.specialty_code) as specialty_code,
        max(limited.label) as label,
        bool_and(limited.confidence != 'recalled') as is_certain,
        bool_and(limited.specialty_code is not null) as is_limited
    from subjects
    inner join {{ ref('core_providers') }} as provider
        on subjects.practitioner_npi = provider.npi and provider.specialty_code is not null
    left join {{ ref('limited_licence_specialties') }} as limited
        on
            provider.specialty_code = limited.specialty_code
            and {{ in_force('limited', 'subjects.service_month') }}
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
            fail='specialties.is_limited',
            pass='not specialties.is_limited'
        ) }} as status,
        coalesce(specialties.label, 'specialty ' || specialties.specialty_code, 'specialty unknown') as observed,
        'a specialty without limited licence' as required,
        coalesce(specialties.is_certain, true) as is_certain
    from subjects
    left join specialties on subjects.subject_id = specialties.subject_id
)

{{ rule_rows() }}
