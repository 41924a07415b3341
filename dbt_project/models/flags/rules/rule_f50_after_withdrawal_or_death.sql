-- F50: CCM was paid for a month after the one in which the person withdrew consent or died.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F50'
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

consents as (
    select
        subjects.subject_id,
        bool_or(coalesce(consent.revoked_date, date '9999-12-31') >= subjects.service_month) as is_in_force,
        max(consent.revoked_date) as revoked_date
    from subjects
    inner join {{ ref('core_consents') }} as consent
        on
            subjects.beneficiary_id = consent.beneficiary_id
            and consent.consent_date < subjects.service_month + interval 1 month
    left join subject_practices
        on
            subjects.subject_id = subject_practices.subject_id
            and consent.practice_tin = subject_practices.practice_tin
    where subject_practices.practice_tin is not null or consent.practitioner_npi = subjects.practitioner_npi
    group by subjects.subject_id
),

judged as (
    select
        subjects.rule_id,
        subjects.subject_id,
        consents.is_in_force,
        consents.revoked_date,
        person.death_date,
        coalesce(person.death_date < subjects.service_month, false) as is_dead
    from subjects
    left join consents on subjects.subject_id = consents.subject_id
    left join {{ ref('core_beneficiaries') }} as person on subjects.beneficiary_id = person.beneficiary_id
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
            fail='is_dead or not is_in_force',
            pass='is_in_force and not is_dead'
        ) }} as status,
        case
            when is_dead then 'died ' || cast(death_date as {{ dbt.type_string() }})
            when not is_in_force then 'consent withdrawn ' || cast(revoked_date as {{ dbt.type_string() }})
            when is_in_force then 'consent in force'
            else 'no consent on record'
        end as observed,
        'no month after the one of withdrawal or death' as required,
        true as is_certain
    from judged
)

{{ rule_rows() }}
