-- F32: the planning code was paid again for person and practitioner, or on a day without a visit it may be added to.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F32'
),

planning_lines as (
    select
        *,
        row_number() over (
            partition by beneficiary_id, practitioner_npi order by service_month, payment_order, claim_line_id
        ) as place,
        first_value(claim_line_id) over (
            partition by beneficiary_id, practitioner_npi order by service_month, payment_order, claim_line_id
        ) as first_claim_line_id
    from {{ ref('subject_lines') }}
    where family = 'CCM_INIT'
),

visits as (
    select distinct planning_lines.claim_line_id
    from planning_lines
    inner join {{ ref('addon_bases') }} as pair
        on
            planning_lines.hcpcs_code = pair.addon_hcpcs_code
            and {{ in_force('pair', 'planning_lines.from_date') }}
    inner join {{ ref('core_claim_lines') }} as visit
        on
            planning_lines.beneficiary_id = visit.beneficiary_id
            and planning_lines.from_date = visit.from_date
            and pair.base_hcpcs_code = visit.hcpcs_code
            and not visit.is_denied
    where
        visit.rendering_npi = planning_lines.practitioner_npi
        or visit.practice_tin = planning_lines.practice_tin
),

judged as (
    select
        planning_lines.*,
        planning_lines.place > 1 as is_repeated,
        visits.claim_line_id is null as is_alone
    from planning_lines
    left join visits on planning_lines.claim_line_id = visits.claim_line_id
),

counted as (
    select
        subject_id,
        bool_or(is_repeated) as is_repeated,
        bool_or(is_alone) as is_alone
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
    where is_repeated or is_alone
),

related as (
    select
        subject_id,
        first_claim_line_id as claim_line_id
    from judged
    where is_repeated
),

assessed as (
    select
        subjects.rule_id,
        subjects.subject_id,
        {{ rule_status(
            fail='counted.is_repeated or counted.is_alone',
            pass='not counted.is_repeated and not counted.is_alone'
        ) }} as status,
        case
            when counted.is_repeated then 'paid before'
            when counted.is_alone then 'no visit on the day'
            else 'paid once, with a visit'
        end as observed,
        'once for person and practitioner, on the day of a visit' as required,
        true as is_certain
    from subjects
    left join counted on subjects.subject_id = counted.subject_id
)

{{ rule_rows(has_related=true) }}
