{# The closing select of every rule, so that each rule holds its predicate and nothing else.

   A rule writes these common table expressions before it:
     assessed   one row a subject: rule_id, subject_id, status, observed, required, is_certain
     at_fault   one row a claim line that the rule disallows: subject_id, claim_line_id, amount_usd, cost_share_usd
                (of a line with more units than allowed: the share of the units beyond)
     related    optional, one row a line that explains the finding without being at fault: subject_id, claim_line_id
   Lines and dollars are kept on failures only: chosen after the join, because a left join on more than equality compares every
   subject with every line. `is_certain` is null-safe: anything but true only warns. #}
{% macro rule_rows(has_related=false) -%}
select
    assessed.rule_id,
    assessed.subject_id,
    assessed.status,
    assessed.observed,
    assessed.required,
    coalesce(assessed.is_certain, false) as is_certain,
    coalesce(case when assessed.status = 'fail' then fault.claim_line_ids end, {{ empty_list() }}) as evidence_claim_line_ids,
    {% if has_related -%}
    coalesce(case when assessed.status = 'fail' then context.claim_line_ids end, {{ empty_list() }}) as related_claim_line_ids,
    {%- else -%}
    {{ empty_list() }} as related_claim_line_ids,
    {%- endif %}
    cast(coalesce(case when assessed.status = 'fail' then fault.amount_usd end, 0) as decimal(14, 2)) as amount_usd,
    cast(coalesce(case when assessed.status = 'fail' then fault.cost_share_usd end, 0) as decimal(14, 2)) as cost_share_usd
from assessed
left join (
    select
        subject_id,
        {{ list_agg_distinct('claim_line_id') }} as claim_line_ids,
        sum(amount_usd) as amount_usd,
        sum(cost_share_usd) as cost_share_usd
    from at_fault
    group by subject_id
) as fault
    on assessed.subject_id = fault.subject_id
{%- if has_related %}
left join (
    select
        subject_id,
        {{ list_agg_distinct('claim_line_id') }} as claim_line_ids
    from related
    group by subject_id
) as context
    on assessed.subject_id = context.subject_id
{%- endif %}
{%- endmacro %}
