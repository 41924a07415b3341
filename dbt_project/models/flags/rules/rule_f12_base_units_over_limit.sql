-- F12: a line of a CCM base code carries more units than the month allows.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F12'
),

base_lines as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.units,
        lines.paid_usd,
        lines.cost_share_usd,
        unit_limit.units_per_month,
        unit_limit.is_certain,
        greatest(0, lines.units - unit_limit.units_per_month) as units_over
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('unit_limits') }} as unit_limit
        on
            lines.hcpcs_code = unit_limit.hcpcs_code
            and {{ in_force('unit_limit', 'lines.service_month') }}
    where lines.code_role = 'base'
),

counted as (
    select
        subject_id,
        max(units) as units,
        max(units_per_month) as units_per_month,
        max(units_over) as units_over,
        coalesce(bool_and(is_certain) filter (where units_over > 0), true) as is_certain
    from base_lines
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd * units_over / units as amount_usd,
        cost_share_usd * units_over / units as cost_share_usd
    from base_lines
    where units_over > 0
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.units is null',
            fail='counted.units_over > 0',
            pass='counted.units_over = 0'
        ) }} as status,
        cast(cast(counted.units as integer) as {{ dbt.type_string() }}) || ' unit(s) on a base line' as observed,
        'at most ' || cast(counted.units_per_month as {{ dbt.type_string() }}) || ' unit(s)' as required,
        counted.is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
