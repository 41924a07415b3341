-- F01: one practitioner was paid more than one CCM base code for a person and month.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F01'
),

base_lines as (
    select
        subject_id,
        claim_line_id,
        paid_usd,
        cost_share_usd,
        -- a facility's and a professional's payment for one service are not duplicates of each other
        row_number() over (partition by subject_id, claim_type order by payment_order) as place
    from {{ ref('subject_lines') }}
    where is_ccm and code_role = 'base'
),

counted as (
    select
        subject_id,
        max(place) as bases
    from base_lines
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from base_lines
    where place > 1
),

related as (
    select
        subject_id,
        claim_line_id
    from base_lines
    where place = 1
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.bases is null',
            fail='counted.bases > 1',
            pass='counted.bases = 1'
        ) }} as status,
        cast(counted.bases as {{ dbt.type_string() }}) || ' base line(s)' as observed,
        'at most 1 base line' as required,
        true as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
