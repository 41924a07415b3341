-- A finding without lines, or with lines of somebody else, cannot be checked by anybody; a pattern names no single payment.
with named_lines as (
    select
        finding_id,
        subject_id,
        amount_usd,
        {{ unnest_list('claim_line_ids') }} as claim_line_id
    from {{ ref('findings') }}
    where review_state != 'closed'
),

matched as (
    select
        named_lines.finding_id,
        max(named_lines.amount_usd) as amount_usd,
        count(*) as lines_named,
        count(lines.claim_line_id) as own_lines,
        sum(lines.paid_usd) as paid_usd
    from named_lines
    left join {{ ref('subject_lines') }} as lines
        on named_lines.claim_line_id = lines.claim_line_id and named_lines.subject_id = lines.subject_id
    group by named_lines.finding_id
)

select findings.finding_id
from {{ ref('findings') }} as findings
left join matched on findings.finding_id = matched.finding_id
where
    findings.review_state != 'closed'
    and findings.subject_kind = 'practitioner_month'
    and (
        coalesce(matched.lines_named, 0) = 0
        or matched.lines_named != matched.own_lines
        or matched.amount_usd > matched.paid_usd + 0.01
    )
