-- F52: a bill stands only with the work of people outside the United States, or of staff under less supervision than is required.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F52'
),

lines as (
    select lines.*
    from {{ ref('timed_lines') }} as lines
),

staffing as (
    select
        beneficiary_id,
        service_month,
        practitioner_npi,
        bool_and(is_abroad is not null and is_supervised is not null) as is_known,
        bool_or(is_abroad) as is_abroad,
        bool_or(not is_supervised) as is_unsupervised
    from {{ ref('fct_care_activities') }}
    where not_counted_reason is null
    group by beneficiary_id, service_month, practitioner_npi
),

borrowed as (
    select *
    from {{ ref('borrowed_minutes') }}
    where reason = 'unsupported_staff' and needs_them
),

counted as (
    select
        lines.subject_id,
        count(borrowed.claim_line_id) as borrowing_lines,
        coalesce(bool_and(staffing.is_known), false) as is_known,
        coalesce(bool_or(staffing.is_abroad), false) as is_abroad,
        coalesce(bool_or(staffing.is_unsupervised), false) as is_unsupervised,
        max(borrowed.minutes_with) as minutes_with,
        min(borrowed.minutes_without) as minutes_without
    from lines
    left join borrowed on lines.claim_line_id = borrowed.claim_line_id
    left join staffing
        on
            lines.beneficiary_id = staffing.beneficiary_id
            and lines.service_month = staffing.service_month
            and lines.practitioner_npi = staffing.practitioner_npi
    group by lines.subject_id
),

at_fault as (
    select
        borrowed.subject_id,
        borrowed.claim_line_id,
        borrowed.amount_usd,
        borrowed.cost_share_usd
    from borrowed
    inner join lines on borrowed.claim_line_id = lines.claim_line_id
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.borrowing_lines > 0',
            pass='counted.borrowing_lines = 0 and counted.is_known'
        ) }} as status,
        case
            when counted.borrowing_lines > 0
                then concat(
                    cast(counted.minutes_with as {{ dbt.type_string() }}), ' minutes, ',
                    cast(counted.minutes_without as {{ dbt.type_string() }}), ' without work ',
                    case
                        when counted.is_abroad and counted.is_unsupervised then 'abroad or unsupervised'
                        when counted.is_abroad then 'abroad'
                        else 'unsupervised'
                    end
                )
            when counted.is_known then 'no bill needs such work'
            else 'where staff work or who supervises them is not recorded'
        end as observed,
        'minutes enough by people in the United States, staff under the supervision required' as required,
        true as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
