-- F09: advanced primary care management was paid more than once for the person and month.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F09'
),

base_lines as (
    select
        subject_id,
        beneficiary_id,
        service_month,
        claim_line_id,
        paid_usd,
        cost_share_usd,
        row_number() over (partition by beneficiary_id, service_month order by payment_order) as place,
        first_value(subject_id) over (partition by beneficiary_id, service_month order by payment_order) as first_subject_id,
        first_value(claim_line_id) over (
            partition by beneficiary_id, service_month order by payment_order
        ) as first_claim_line_id
    from {{ ref('subject_lines') }}
    where family = 'APCM' and code_role = 'base'
),

counted as (
    select
        subject_id,
        max(place) as place,
        coalesce(bool_or(subject_id = first_subject_id) filter (where place > 1), true) as is_certain
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
        first_claim_line_id as claim_line_id
    from base_lines
    where place > 1
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.place is null',
            fail='counted.place > 1',
            pass='counted.place = 1'
        ) }} as status,
        'paid as number ' || cast(counted.place as {{ dbt.type_string() }}) || ' in the month' as observed,
        'one monthly code for a person' as required,
        counted.is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
