-- F39: an add-on of advanced primary care management was paid without its base, or the first month's code after the first month.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F39'
),

-- an add-on that is itself out of force is F13's
add_ons as (
    select
        add_on.subject_id,
        add_on.beneficiary_id,
        add_on.practitioner_npi,
        add_on.service_month,
        add_on.claim_line_id,
        add_on.hcpcs_code,
        add_on.paid_usd,
        add_on.cost_share_usd,
        coalesce(bool_or(base.claim_line_id is not null), false) as has_base
    from {{ ref('subject_lines') }} as add_on
    left join {{ ref('addon_bases') }} as pair
        on
            add_on.hcpcs_code = pair.addon_hcpcs_code
            and {{ in_force('pair', 'add_on.from_date') }}
    left join {{ ref('subject_lines') }} as base
        on
            add_on.subject_id = base.subject_id
            and pair.base_hcpcs_code = base.hcpcs_code
            and base.is_in_force
    where add_on.family = 'APCM_BHI' and add_on.is_in_force
    group by
        add_on.subject_id, add_on.beneficiary_id, add_on.practitioner_npi, add_on.service_month, add_on.claim_line_id,
        add_on.hcpcs_code, add_on.paid_usd, add_on.cost_share_usd
),

-- months of collaborative care by the practitioner, billed by the add-ons or by the codes that they stand for
care_months as (
    select
        lines.beneficiary_id,
        lines.practitioner_npi,
        lines.service_month,
        lines.claim_line_id,
        months.month_kind
    from {{ ref('subject_lines') }} as lines
    inner join {{ ref('collaborative_care_months') }} as months
        on
            lines.hcpcs_code = months.hcpcs_code
            and {{ in_force('months', 'lines.from_date') }}
),

first_months as (
    select
        add_ons.*,
        limits.limit_value as pause_months
    from add_ons
    inner join {{ ref('collaborative_care_months') }} as months
        on
            add_ons.hcpcs_code = months.hcpcs_code
            and months.month_kind = 'first'
            and {{ in_force('months', 'add_ons.service_month') }}
    inner join {{ ref('rule_limits') }} as limits
        on
            limits.rule_id = 'F39'
            and limits.limit_name = 'months_to_a_new_episode'
            and {{ in_force('limits', 'add_ons.service_month') }}
),

-- an earlier month within the pause, or a later month's code beside it
not_first as (
    select
        first_months.subject_id,
        first_months.claim_line_id,
        care_months.claim_line_id as other_claim_line_id
    from first_months
    inner join care_months
        on
            first_months.beneficiary_id = care_months.beneficiary_id
            and first_months.practitioner_npi = care_months.practitioner_npi
    where
        (
            care_months.service_month < first_months.service_month
            and care_months.service_month
            >= cast({{ dbt.dateadd('month', '-first_months.pause_months', 'first_months.service_month') }} as date)
        )
        or (care_months.service_month = first_months.service_month and care_months.month_kind = 'later')
),

judged as (
    select
        add_ons.*,
        coalesce(add_ons.claim_line_id in (select not_first.claim_line_id from not_first), false) as is_late_first
    from add_ons
),

counted as (
    select
        subject_id,
        count(*) filter (where not has_base) as orphans,
        count(*) filter (where is_late_first) as late_firsts
    from judged
    group by subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from judged
    where not has_base or is_late_first
),

related as (
    select
        subject_id,
        other_claim_line_id as claim_line_id
    from not_first
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            not_applicable='counted.subject_id is null',
            fail='counted.orphans + counted.late_firsts > 0',
            pass='counted.orphans + counted.late_firsts = 0'
        ) }} as status,
        case
            when counted.orphans > 0 and counted.late_firsts > 0 then 'no base, and not the first month'
            when counted.orphans > 0 then 'no base'
            when counted.late_firsts > 0 then 'the code of the first month, and it is not the first'
            else 'a base, and the code of the month'
        end as observed,
        'a monthly base by the same practitioner, and the first month''s code in the first month only' as required,
        true as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
