-- Paid base lines beside a service that excludes them: of the same practitioner in the month, or of the same practice.
with base_lines as (
    select *
    from {{ ref('subject_lines') }}
    where code_role = 'base'
),

other_lines as (
    select
        subject_id,
        beneficiary_id,
        service_month,
        practice_tin,
        claim_line_id,
        family
    from {{ ref('subject_lines') }}
)

select
    base_lines.subject_id,
    base_lines.claim_line_id,
    base_lines.family,
    base_lines.paid_usd,
    base_lines.cost_share_usd,
    other_lines.claim_line_id as other_claim_line_id,
    other_lines.family as other_family,
    conflict.is_certain
from base_lines
inner join other_lines on base_lines.subject_id = other_lines.subject_id
inner join {{ ref('code_conflicts') }} as conflict
    on
        conflict.scope = 'practitioner_month'
        and base_lines.family = conflict.family
        and other_lines.family = conflict.other_family
        and {{ in_force('conflict', 'base_lines.service_month') }}

union all

select
    base_lines.subject_id,
    base_lines.claim_line_id,
    base_lines.family,
    base_lines.paid_usd,
    base_lines.cost_share_usd,
    other_lines.claim_line_id as other_claim_line_id,
    other_lines.family as other_family,
    conflict.is_certain
from base_lines
inner join other_lines
    on
        base_lines.beneficiary_id = other_lines.beneficiary_id
        and base_lines.service_month = other_lines.service_month
        and base_lines.practice_tin = other_lines.practice_tin
        and base_lines.subject_id != other_lines.subject_id
inner join {{ ref('code_conflicts') }} as conflict
    on
        conflict.scope = 'practice_month'
        and base_lines.family = conflict.family
        and other_lines.family = conflict.other_family
        and {{ in_force('conflict', 'base_lines.service_month') }}
