-- Each paid line that open or confirmed findings name, once: several rules may name one line, its dollars are at risk once.
with named_lines as (
    select
        rule_id,
        subject_id,
        severity,
        amount_usd,
        cost_share_usd,
        {{ unnest_list('claim_line_ids') }} as claim_line_id
    from {{ ref('findings') }}
    where review_state in ('open', 'confirmed')
),

-- a finding's dollars are spread over its lines as they were paid; exact but for a finding of partial units on many lines
shares as (
    select
        named_lines.rule_id,
        named_lines.severity,
        named_lines.claim_line_id,
        lines.beneficiary_id,
        lines.service_month,
        lines.practitioner_npi,
        lines.practice_tin,
        lines.hcpcs_code,
        named_lines.amount_usd * lines.paid_usd / nullif(
            sum(lines.paid_usd) over (partition by named_lines.rule_id, named_lines.subject_id), 0
        ) as amount_usd,
        named_lines.cost_share_usd * lines.cost_share_usd / nullif(
            sum(lines.cost_share_usd) over (partition by named_lines.rule_id, named_lines.subject_id), 0
        ) as cost_share_usd
    from named_lines
    inner join {{ ref('subject_lines') }} as lines
        on named_lines.claim_line_id = lines.claim_line_id
)

select
    claim_line_id,
    beneficiary_id,
    service_month,
    practitioner_npi,
    practice_tin,
    hcpcs_code,
    {{ list_agg_distinct('rule_id') }} as rule_ids,
    bool_or(severity = 'payment_not_supported') as is_not_supported,
    cast(coalesce(max(amount_usd), 0) as decimal(14, 2)) as amount_usd,
    cast(coalesce(
        max(case when severity = 'payment_not_supported' then amount_usd end), 0
    ) as decimal(14, 2)) as not_supported_usd,
    cast(coalesce(max(cost_share_usd), 0) as decimal(14, 2)) as cost_share_usd
from shares
group by claim_line_id, beneficiary_id, service_month, practitioner_npi, practice_tin, hcpcs_code
