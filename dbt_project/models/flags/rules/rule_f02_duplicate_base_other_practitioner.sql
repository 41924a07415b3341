-- F02: another practitioner was paid a CCM base code for the same person and month before this one.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F02'
),

-- further base lines of the same practitioner are F01's
first_bases as (
    select
        subject_id,
        beneficiary_id,
        service_month,
        claim_type,
        claim_line_id,
        payment_order,
        paid_usd,
        cost_share_usd
    from {{ ref('subject_lines') }}
    where is_ccm and code_role = 'base'
    qualify row_number() over (partition by subject_id, claim_type order by payment_order) = 1
),

ranked as (
    select
        *,
        row_number() over (
            partition by beneficiary_id, service_month, claim_type order by payment_order
        ) as place
    from first_bases
),

counted as (
    select
        subject_id,
        max(place) as place
    from ranked
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from ranked
    where place > 1
),

related as (
    select
        later.subject_id,
        kept.claim_line_id
    from ranked as later
    inner join ranked as kept
        on
            later.beneficiary_id = kept.beneficiary_id
            and later.service_month = kept.service_month
            and later.claim_type = kept.claim_type
            and kept.place = 1
    where later.place > 1
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
        'paid as number ' || cast(counted.place as {{ dbt.type_string() }}) || ' of the practitioners' as observed,
        'the only or first practitioner paid' as required,
        -- that two were paid is certain; that this one loses the payment is an assumption
        false as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
