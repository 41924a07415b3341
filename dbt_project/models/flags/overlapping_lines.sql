-- Paid CCM base lines beside a service that the same practitioner may not be paid for in the same month.
select
    base_lines.subject_id,
    base_lines.claim_line_id,
    base_lines.paid_usd,
    base_lines.cost_share_usd,
    other_lines.claim_line_id as other_claim_line_id,
    other_lines.family as other_family,
    conflict.is_certain
from {{ ref('subject_lines') }} as base_lines
inner join {{ ref('subject_lines') }} as other_lines
    on base_lines.subject_id = other_lines.subject_id
inner join {{ ref('code_conflicts') }} as conflict
    on
        base_lines.family = conflict.family
        and other_lines.family = conflict.other_family
        and {{ in_force('conflict', 'base_lines.service_month') }}
where base_lines.is_ccm and base_lines.code_role = 'base'
