-- F29: complex CCM was paid, and the month's record holds no decision making of the level that it needs.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F29'
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

keepers as (
    select
        practice_tin,
        bool_or(decision_making_level is not null) as keeps_levels
    from {{ ref('core_care_management_time') }}
    group by practice_tin
),

recorded as (
    select
        lines.subject_id,
        bool_and(coalesce(keepers.keeps_levels, false)) as keeps_levels,
        max(record.decision_making_level) as decision_making_level,
        coalesce(bool_or(record.is_complex), false) as is_complex
    from complex_lines as lines
    left join keepers on lines.practice_tin = keepers.practice_tin
    left join {{ ref('fct_record_months') }} as record
        on
            lines.beneficiary_id = record.beneficiary_id
            and lines.service_month = record.service_month
            and lines.practitioner_npi = record.practitioner_npi
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
            not_applicable='recorded.subject_id is null',
            fail='not recorded.is_complex and recorded.keeps_levels',
            pass='recorded.is_complex'
        ) }} as status,
        coalesce(recorded.decision_making_level, 'no level') || ' recorded' as observed,
        'moderate or high decision making recorded' as required,
        coalesce(recorded.decision_making_level is not null, true) as is_certain
    from subjects
    left join recorded on subjects.subject_id = recorded.subject_id
)

{{ rule_rows() }}
