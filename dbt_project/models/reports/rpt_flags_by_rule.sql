-- Billed practitioner-months by rule and status, with the dollars of those that failed. Each rule's statuses add up to its
-- subjects; a subject is one person's month with one practitioner and is counted as people are.
with cells as (
    select
        results.rule_id,
        results.status,
        count(*) as subjects,
        cast(sum(case when results.status = 'fail' then coalesce(results.amount_usd, 0) else 0 end) as decimal(14, 2))
            as amount_usd
    from {{ ref('rule_results') }} as results
    group by results.rule_id, results.status
),

suppressed as (
    {{ suppress_lines('cells', ['rule_id'], 'subjects', ['status']) }}
)

select
    catalogue.rule_id,
    catalogue.title,
    catalogue.severity,
    catalogue.certainty,
    catalogue.citation,
    suppressed.status,
    case when not suppressed.is_suppressed then suppressed.subjects end as subjects,
    case when suppressed.status = 'fail' and not suppressed.is_suppressed then suppressed.amount_usd end as amount_usd,
    suppressed.is_suppressed
from suppressed
inner join {{ ref('rule_catalogue') }} as catalogue on suppressed.rule_id = catalogue.rule_id
