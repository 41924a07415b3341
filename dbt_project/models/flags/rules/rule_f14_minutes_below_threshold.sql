-- F14: the month's record holds fewer minutes than the billed CCM base code needs.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F14'
),

base_lines as (
    select
        *,
        possible_minutes < first_minute as is_below,
        counted_minutes >= first_minute as is_reached
    from {{ ref('timed_lines') }}
    where code_role = 'base'
),

counted as (
    select
        subject_id,
        min(counted_minutes) as minutes,
        max(first_minute) as first_minute,
        coalesce(bool_or(is_below), false) as is_below,
        bool_and(coalesce(is_reached, false)) as is_reached
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
    where is_below
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.is_below',
            pass='counted.is_reached'
        ) }} as status,
        coalesce(cast(cast(counted.minutes as integer) as {{ dbt.type_string() }}) || ' minutes', 'no time records') as observed,
        'at least ' || cast(counted.first_minute as {{ dbt.type_string() }}) || ' minutes' as required,
        true as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
