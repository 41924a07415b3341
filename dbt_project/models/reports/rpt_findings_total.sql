-- All open and confirmed findings together: each disallowed line's dollars once, whatever the number of rules that name it.
-- Hidden where few people are concerned, or where one rule alone is hidden and the total would give it away.
with totals as (
    select
        count(distinct beneficiary_id) as people,
        count(*) as claim_lines,
        cast(coalesce(sum(amount_usd), 0) as decimal(14, 2)) as amount_usd,
        cast(coalesce(sum(not_supported_usd), 0) as decimal(14, 2)) as not_supported_usd
    from {{ ref('lines_at_fault') }}
),

hidden as (
    select count(*) as hidden_rules
    from {{ ref('rpt_flags_by_rule') }}
    where status = 'fail' and is_suppressed
),

judged as (
    select
        totals.*,
        (totals.people between 1 and {{ largest_small_cell() }} or hidden.hidden_rules = 1) as is_suppressed
    from totals
    cross join hidden
)

select
    case when not is_suppressed then people end as people,
    case when not is_suppressed then claim_lines end as claim_lines,
    case when not is_suppressed then amount_usd end as amount_usd,
    case when not is_suppressed then not_supported_usd end as not_supported_usd,
    is_suppressed,
    cast(null as date) as held_from
from judged
