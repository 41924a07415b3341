-- F13: a CCM code was paid for a day on which Medicare did not pay for that code.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F13'
),

-- a code with a recalled date anywhere in its history cannot deny
codes as (
    select
        hcpcs_code,
        bool_and(confidence != 'recalled') as is_certain
    from {{ ref('care_management_codes') }}
    group by hcpcs_code
),

ccm_lines as (
    select
        lines.subject_id,
        lines.claim_line_id,
        lines.hcpcs_code,
        lines.from_date,
        lines.is_in_force,
        lines.paid_usd,
        lines.cost_share_usd,
        codes.is_certain
    from {{ ref('subject_lines') }} as lines
    left join codes on lines.hcpcs_code = codes.hcpcs_code
),

counted as (
    select
        subject_id,
        count(*) filter (where not is_in_force) as lines_out_of_force,
        count(*) filter (where is_in_force is null) as lines_unknown,
        coalesce(bool_or(is_certain) filter (where not is_in_force), true) as is_certain,
        {{ list_join(list_agg_distinct(
            "case when not is_in_force then hcpcs_code || ' on ' || cast(from_date as " ~ dbt.type_string() ~ ") end"
        ), ', ') }} as observed
    from ccm_lines
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from ccm_lines
    where not is_in_force
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            fail='counted.lines_out_of_force > 0',
            pass='counted.lines_out_of_force = 0 and counted.lines_unknown = 0'
        ) }} as status,
        coalesce(counted.observed, 'every code in force') as observed,
        'codes that Medicare paid on the day of service' as required,
        counted.is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
