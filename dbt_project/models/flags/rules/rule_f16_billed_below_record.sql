-- F16: the record supports more CCM units than the practitioner billed in the month.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F16'
),

ccm_lines as (
    select *
    from {{ ref('subject_lines') }}
    where is_ccm
),

known as (
    select
        subject_id,
        bool_and(counted_minutes is not null) as is_known
    from {{ ref('timed_lines') }}
    group by subject_id
),

compared as (
    select
        subjects.rule_id,
        subjects.subject_id,
        known.is_known,
        month.is_below and not month.is_beyond as is_below,
        {{ list_join('month.supported_codes', ', ') }} as supported,
        {{ list_join('month.billed_codes', ', ') }} as billed
    from subjects
    left join known on subjects.subject_id = known.subject_id
    left join {{ ref('fct_capture_practitioner_months') }} as month
        on
            subjects.beneficiary_id = month.beneficiary_id
            and subjects.service_month = month.service_month
            and subjects.practitioner_npi = month.practitioner_npi
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        0 as amount_usd,
        0 as cost_share_usd
    from ccm_lines
),

assessed as (
    select
        rule_id,
        subject_id,
        {{ rule_status(
            not_applicable='is_known is null',
            fail='is_known and is_below',
            pass='is_known and not is_below'
        ) }} as status,
        billed as observed,
        coalesce(supported, 'nothing') || ' supported' as required,
        true as is_certain
    from compared
)

{{ rule_rows() }}
