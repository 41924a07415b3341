-- F10: a CCM add-on was paid, and no base of its own by the same practitioner in the month is left standing.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F10'
),

other_rules as (
    select
        status,
        is_certain,
        evidence_claim_line_ids
    from {{ ref('rule_f01_duplicate_base_same_practitioner') }}
    union all
    select
        status,
        is_certain,
        evidence_claim_line_ids
    from {{ ref('rule_f02_duplicate_base_other_practitioner') }}
    union all
    select
        status,
        is_certain,
        evidence_claim_line_ids
    from {{ ref('rule_f03_mixed_lanes') }}
    union all
    select
        status,
        is_certain,
        evidence_claim_line_ids
    from {{ ref('rule_f04_overlap_care_plan_oversight') }}
    union all
    select
        status,
        is_certain,
        evidence_claim_line_ids
    from {{ ref('rule_f05_overlap_esrd_capitation') }}
    union all
    select
        status,
        is_certain,
        evidence_claim_line_ids
    from {{ ref('rule_f13_code_not_in_force') }}
),

disallowed as (
    select
        is_certain,
        {{ unnest_list('evidence_claim_line_ids') }} as claim_line_id
    from other_rules
    where status = 'fail'
),

disallowed_lines as (
    select
        claim_line_id,
        bool_or(is_certain) as is_certain
    from disallowed
    group by claim_line_id
),

-- an add-on that is itself out of force is F13's, one of advanced primary care management F39's
add_ons as (
    select
        add_on.subject_id,
        add_on.claim_line_id,
        add_on.paid_usd,
        add_on.cost_share_usd,
        coalesce(
            bool_or(base.claim_line_id is not null and disallowed_lines.claim_line_id is null), false
        ) as has_base,
        coalesce(
            bool_or(base.claim_line_id is not null and not coalesce(disallowed_lines.is_certain, false)), false
        ) as may_have_base
    from {{ ref('subject_lines') }} as add_on
    left join {{ ref('addon_bases') }} as pair
        on
            add_on.hcpcs_code = pair.addon_hcpcs_code
            and {{ in_force('pair', 'add_on.from_date') }}
    left join {{ ref('subject_lines') }} as base
        on
            add_on.subject_id = base.subject_id
            and pair.base_hcpcs_code = base.hcpcs_code
    left join disallowed_lines on base.claim_line_id = disallowed_lines.claim_line_id
    where add_on.code_role = 'addon' and add_on.is_in_force and coalesce(add_on.family, 'none') != 'APCM_BHI'
    group by add_on.subject_id, add_on.claim_line_id, add_on.paid_usd, add_on.cost_share_usd
),

counted as (
    select
        subject_id,
        count(*) as add_on_lines,
        count(*) filter (where not has_base) as orphans,
        bool_or(not may_have_base) as is_certain
    from add_ons
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from add_ons
    where not has_base
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.add_on_lines is null',
            fail='counted.orphans > 0',
            pass='counted.orphans = 0'
        ) }} as status,
        cast(counted.orphans as {{ dbt.type_string() }}) || ' of ' || cast(counted.add_on_lines as {{ dbt.type_string() }})
        || ' add-on line(s) without a base' as observed,
        'a base of its own that stands, for every add-on' as required,
        counted.is_certain or counted.orphans = 0 as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows() }}
