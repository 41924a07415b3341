-- F11: the units of a CCM add-on, summed over the month, are above its limit.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F11'
),

limited_lines as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.hcpcs_code,
        lines.units,
        lines.units_through,
        lines.paid_usd,
        lines.cost_share_usd,
        unit_limit.units_per_month,
        unit_limit.is_certain,
        greatest(0, least(lines.units, lines.units_through - unit_limit.units_per_month)) as units_over
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('unit_limits') }} as unit_limit
        on
            lines.hcpcs_code = unit_limit.hcpcs_code
            and {{ in_force('unit_limit', 'lines.service_month') }}
    where lines.code_role = 'addon'
),

codes as (
    select
        subject_id,
        hcpcs_code,
        units_per_month,
        is_certain,
        max(units_through) as units,
        sum(units_over) as units_over
    from limited_lines
    group by subject_id, hcpcs_code, units_per_month, is_certain
),

counted as (
    select
        subject_id,
        sum(units_over) as units_over,
        coalesce(bool_and(is_certain) filter (where units_over > 0), true) as is_certain,
        {{ list_join(list_agg_distinct(
            "hcpcs_code || 'x' || cast(cast(units as integer) as " ~ dbt.type_string() ~ ")"
        ), ', ') }} as observed,
        {{ list_join(list_agg_distinct(
            "hcpcs_code || ' at most ' || cast(units_per_month as " ~ dbt.type_string() ~ ")"
        ), ', ') }} as required
    from codes
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd * units_over / units as amount_usd,
        cost_share_usd * units_over / units as cost_share_usd
    from limited_lines
    where units_over > 0
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.units_over is null',
            fail='counted.units_over > 0',
            pass='counted.units_over = 0'
        ) }} as status,
        counted.observed,
        counted.required,
        counted.is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
