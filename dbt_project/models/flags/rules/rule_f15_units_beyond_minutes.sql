-- F15: the billed units of a CCM add-on need more minutes than the month's record holds.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F15'
),

add_ons as (
    select
        *,
        -- a block counts when it is complete, never at its midpoint
        case
            when counted_minutes < first_minute then 0 else floor((counted_minutes - first_minute) / block_minutes) + 1
        end as units_reached,
        case
            when possible_minutes < first_minute then 0 else floor((possible_minutes - first_minute) / block_minutes) + 1
        end as units_possible
    from {{ ref('timed_lines') }}
    where code_role = 'addon'
),

counted as (
    select
        subject_id,
        min(counted_minutes) as minutes,
        max(first_minute + (units_through - 1) * block_minutes) as minutes_needed,
        coalesce(bool_or(units_through > units_possible), false) as is_beyond,
        bool_and(coalesce(units_through <= units_reached, false)) as is_reached
    from add_ons
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd * least(units, units_through - units_possible) / units as amount_usd,
        cost_share_usd * least(units, units_through - units_possible) / units as cost_share_usd
    from add_ons
    where units_through > units_possible
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.is_beyond',
            pass='counted.is_reached'
        ) }} as status,
        coalesce(cast(cast(counted.minutes as integer) as {{ dbt.type_string() }}) || ' minutes', 'no time records') as observed,
        'at least ' || cast(cast(counted.minutes_needed as integer) as {{ dbt.type_string() }}) || ' minutes' as required,
        true as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
