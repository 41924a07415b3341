-- F08: a service was paid in a month in which advanced primary care management, which includes it, was paid.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F08'
),

overlapping as (
    select *
    from {{ ref('overlapping_lines') }}
    where other_family = 'APCM'
),

counted as (
    select
        base_lines.subject_id,
        count(distinct overlapping.other_claim_line_id) as other_lines,
        coalesce(bool_or(overlapping.is_certain), true) as is_certain
    from {{ ref('subject_lines') }} as base_lines
    left join overlapping on base_lines.claim_line_id = overlapping.claim_line_id
    where base_lines.code_role = 'base'
    group by base_lines.subject_id
),

at_fault as (
    select distinct
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from overlapping
),

related as (
    select
        subject_id,
        other_claim_line_id as claim_line_id
    from overlapping
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.other_lines is null',
            fail='counted.other_lines > 0',
            pass='counted.other_lines = 0'
        ) }} as status,
        cast(counted.other_lines as {{ dbt.type_string() }}) || ' line(s) of advanced primary care management' as observed,
        'no line of advanced primary care management' as required,
        counted.is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
