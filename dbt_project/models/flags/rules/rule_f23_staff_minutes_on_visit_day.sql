-- F23: a complex code stands only with staff minutes of a day on which the practitioner saw the person.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F23'
),

lines as (
    select lines.*
    from {{ ref('timed_lines') }} as lines
    where lines.lane in (
        select readings.lane
        from {{ ref('billable_readings') }} as readings
        where readings.needs_complex
    )
),

borrowed as (
    select *
    from {{ ref('borrowed_minutes') }}
    where reason = 'visit_day' and needs_them
),

counted as (
    select
        lines.subject_id,
        count(borrowed.claim_line_id) as borrowing_lines,
        bool_and(lines.counted_minutes is not null) as is_known,
        max(borrowed.minutes_with) as minutes_with,
        min(borrowed.minutes_without) as minutes_without
    from lines
    left join borrowed on lines.claim_line_id = borrowed.claim_line_id
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
                then
                    cast(counted.minutes_with as {{ dbt.type_string() }}) || ' minutes, '
                    || cast(counted.minutes_without as {{ dbt.type_string() }}) || ' without them'
            when counted.is_known then 'no bill needs them'
            else 'not known from the record'
        end as observed,
        'minutes enough without those of the day of a visit' as required,
        false as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
