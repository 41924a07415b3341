-- Subjects (billed practitioner-months; of patterns the years of practices and workers) by rule and status, with the dollars of
-- those that failed. Each rule's statuses add up to its subjects. A person can be several subjects, so smallness is decided by
-- people.
with cells as (
    select
        rule_id,
        status,
        count(*) as subjects,
        -- a practice or a worker stands for itself: few of them are as small as few people
        count(distinct coalesce(beneficiary_id, subject_id)) as people,
        cast(sum(case when status = 'fail' then coalesce(amount_usd, 0) else 0 end) as decimal(14, 2)) as amount_usd
    from {{ ref('rule_results') }}
    group by rule_id, status
),

judged as (
    {{ suppress_lines('cells', ['rule_id'], 'subjects', ['status'], people='people') }}
)

select
    catalogue.rule_id,
    catalogue.title,
    catalogue.severity,
    catalogue.certainty,
    catalogue.citation,
    judged.status,
    case when not judged.is_suppressed then judged.subjects end as subjects,
    case when judged.status = 'fail' and not judged.is_suppressed then judged.amount_usd end as amount_usd,
    judged.is_suppressed,
    cast(null as date) as held_from
from judged
inner join {{ ref('rule_catalogue') }} as catalogue on judged.rule_id = catalogue.rule_id
