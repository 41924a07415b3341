-- F06: before 2020, CCM was paid in a month that this practitioner's 30 days of transitional care reach into.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F06'
),

overlapping as (
    select
        base_lines.subject_id,
        base_lines.claim_line_id,
        base_lines.paid_usd,
        base_lines.cost_share_usd,
        tcm.claim_line_id as other_claim_line_id,
        tcm.window_end,
        -- a period that ends within the month leaves days for CCM; one without a discharge is only supposed
        conflict.is_certain
        and tcm.discharge_date is not null
        and tcm.window_end >= cast({{ dbt.last_day('base_lines.service_month', 'month') }} as date) as is_certain
    from {{ ref('subject_lines') }} as base_lines
    inner join {{ ref('tcm_windows') }} as tcm
        on
            base_lines.beneficiary_id = tcm.beneficiary_id
            and base_lines.practitioner_npi = tcm.practitioner_npi
            and base_lines.service_month <= tcm.window_end
            and tcm.window_start <= cast({{ dbt.last_day('base_lines.service_month', 'month') }} as date)
    inner join {{ ref('code_conflicts') }} as conflict
        on
            base_lines.family = conflict.family
            and conflict.other_family = 'TCM'
            and conflict.scope = 'practitioner_discharge'
            and {{ in_force('conflict', 'base_lines.service_month') }}
    where base_lines.is_ccm and base_lines.code_role = 'base'
),

counted as (
    select
        base_lines.subject_id,
        count(distinct overlapping.other_claim_line_id) as other_lines,
        max(overlapping.window_end) as window_end,
        coalesce(bool_or(overlapping.is_certain), true) as is_certain
    from {{ ref('subject_lines') }} as base_lines
    left join overlapping on base_lines.claim_line_id = overlapping.claim_line_id
    where base_lines.is_ccm and base_lines.code_role = 'base'
    group by base_lines.subject_id
),

at_fault as (
    select distinct
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from overlapping
),

related as (
    select
        subject_id,
        other_claim_line_id as claim_line_id
    from overlapping
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.other_lines is null',
            fail='counted.other_lines > 0',
            pass='counted.other_lines = 0'
        ) }} as status,
        case
            when counted.other_lines > 0
                then 'transitional care to ' || cast(counted.window_end as {{ dbt.type_string() }})
            else 'no transitional care'
        end as observed,
        'no day of transitional care in the month' as required,
        counted.is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
