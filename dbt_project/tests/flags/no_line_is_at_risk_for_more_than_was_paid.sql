-- Overlapping findings must not multiply dollars.
select faults.claim_line_id
from {{ ref('lines_at_fault') }} as faults
inner join {{ ref('subject_lines') }} as lines
    on faults.claim_line_id = lines.claim_line_id
where faults.amount_usd > lines.paid_usd + 0.01 or faults.not_supported_usd > faults.amount_usd
