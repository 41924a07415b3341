-- F24: no consent of the kind that the month requires was given on or before the day of the first counted minute.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F24'
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

subject_days as (
    select
        subjects.rule_id,
        subjects.subject_id,
        subjects.beneficiary_id,
        subjects.practitioner_npi,
        subjects.service_month,
        -- where no time is kept, the first billed day is the latest day on which work can have begun
        coalesce(max(record.first_counted_date), min(ccm_lines.from_date)) as first_day,
        bool_and(coalesce(practice.keeps_consents, false)) as keeps_consents,
        max(policy.required_mode) as required_mode
    from subjects
    inner join ccm_lines on subjects.subject_id = ccm_lines.subject_id
    inner join {{ ref('consent_rules') }} as policy
        on {{ in_force('policy', 'subjects.service_month') }}
    left join {{ ref('core_practice_records') }} as practice
        on ccm_lines.practice_tin = practice.practice_tin
    left join {{ ref('fct_record_months') }} as record
        on
            subjects.beneficiary_id = record.beneficiary_id
            and subjects.service_month = record.service_month
            and subjects.practitioner_npi = record.practitioner_npi
    group by
        subjects.rule_id, subjects.subject_id, subjects.beneficiary_id, subjects.practitioner_npi,
        subjects.service_month
),

-- a withdrawn consent holds to the end of the month of its withdrawal
consents as (
    select
        subject_days.subject_id,
        consent.consent_date <= subject_days.first_day as is_in_time,
        case
            when subject_days.required_mode = 'any' then true
            else consent.consent_mode = subject_days.required_mode
        end as is_required_mode
    from subject_days
    inner join {{ ref('core_consents') }} as consent
        on
            subject_days.beneficiary_id = consent.beneficiary_id
            and consent.consent_date < subject_days.service_month + interval 1 month
            and coalesce(consent.revoked_date, date '9999-12-31') >= subject_days.service_month
    left join subject_practices
        on
            subject_days.subject_id = subject_practices.subject_id
            and consent.practice_tin = subject_practices.practice_tin
    where
        consent.practitioner_npi = subject_days.practitioner_npi
        or subject_practices.practice_tin is not null
),

counted as (
    select
        subject_id,
        bool_or(is_in_time and coalesce(is_required_mode, false)) as has_consent,
        bool_or(is_in_time and is_required_mode is null) as may_have_consent,
        bool_or(coalesce(is_required_mode, true)) as has_late_consent
    from consents
    group by subject_id
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
        subject_days.rule_id,
        subject_days.subject_id,
        {{ rule_status(
            fail="subject_days.keeps_consents and not coalesce(counted.has_consent, false)
                and not coalesce(counted.may_have_consent, false)",
            pass='counted.has_consent'
        ) }} as status,
        case
            when counted.has_consent then 'consent in time'
            when counted.may_have_consent then 'consent in time, how it was given is not recorded'
            when counted.has_late_consent then 'consent after the first counted minute'
            when counted.subject_id is not null then 'consent in another form'
            when subject_days.keeps_consents then 'no consent'
            else 'no consent records'
        end as observed,
        case when subject_days.required_mode = 'any' then 'consent' else subject_days.required_mode || ' consent' end
        || ' by ' || cast(subject_days.first_day as {{ dbt.type_string() }}) as required,
        -- that a consent later in the month comes too late is recalled, not read
        not coalesce(counted.has_late_consent, false) as is_certain
    from subject_days
    left join counted on subject_days.subject_id = counted.subject_id
)

{{ rule_rows() }}
