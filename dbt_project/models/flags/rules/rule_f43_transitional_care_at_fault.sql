-- F43: transitional care was paid again for a discharge, dated too late after it, or without any discharge on record.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F43'
),

lines as (
    select
        *,
        discharge_date is null as is_without_discharge,
        from_date > {{ dbt.dateadd('day', 'visit_days', 'discharge_date') }} as is_late,
        row_number() over (
            partition by beneficiary_id, coalesce(discharge_date, from_date), discharge_date is null
            order by service_month, payment_order, claim_line_id
        ) as place,
        first_value(claim_line_id) over (
            partition by beneficiary_id, coalesce(discharge_date, from_date), discharge_date is null
            order by service_month, payment_order, claim_line_id
        ) as first_claim_line_id,
        first_value(practitioner_npi) over (
            partition by beneficiary_id, coalesce(discharge_date, from_date), discharge_date is null
            order by service_month, payment_order, claim_line_id
        ) as first_practitioner_npi
    from {{ ref('tcm_windows') }}
),

counted as (
    select
        subject_id,
        bool_or(place > 1) as is_repeated,
        coalesce(bool_or(is_late), false) as is_late,
        bool_or(is_without_discharge) as is_without_discharge,
        -- certain: the same practitioner again for a known discharge, or too late after it
        coalesce(bool_or(
            not is_without_discharge and (is_late or (place > 1 and practitioner_npi = first_practitioner_npi))
        ), false) as is_certain
    from lines
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from lines
    where place > 1 or coalesce(is_late, false) or is_without_discharge
),

related as (
    select
        subject_id,
        first_claim_line_id as claim_line_id
    from lines
    where place > 1
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.is_repeated or counted.is_late or counted.is_without_discharge',
            pass='not counted.is_repeated and not counted.is_late and not counted.is_without_discharge'
        ) }} as status,
        case
            when counted.is_repeated then 'paid again for the discharge'
            when counted.is_late then 'dated after the last day for the visit'
            when counted.is_without_discharge then 'no discharge on record'
            else 'first for its discharge, in time'
        end as observed,
        'first for its discharge, with the visit in time' as required,
        counted.is_certain or not (counted.is_repeated or counted.is_late or counted.is_without_discharge) as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
