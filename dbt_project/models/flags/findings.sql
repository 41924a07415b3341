-- What failed, under a key that does not change from run to run, with the state that a reviewer gave it.
with failures as (
    select
        *,
        md5(
            rule_id || '|' || subject_id || '|' || {{ list_join('evidence_claim_line_ids', '|') }}
        ) as finding_id
    from {{ ref('rule_results') }}
    where status = 'fail'
),

reviews as (
    select
        finding_id,
        max_by(review_state, reviewed_on) as review_state
    from {{ source('ledger', 'finding_reviews') }}
    group by finding_id
),

seen as (
    select
        finding_id,
        min(first_seen_as_of) as first_seen_as_of
    from {{ source('ledger', 'findings_seen') }}
    group by finding_id
)

select
    failures.finding_id,
    failures.rule_id,
    -- facts that are recalled, or edits that hold for one day only, warn whatever the rule's own severity
    case when failures.is_certain then catalogue.severity else 'warning' end as severity,
    case when failures.is_certain then catalogue.certainty else 'warning_only' end as certainty,
    failures.subject_id,
    failures.beneficiary_id,
    failures.service_month,
    failures.practitioner_npi,
    failures.observed,
    failures.required,
    failures.evidence_claim_line_ids as claim_line_ids,
    failures.related_claim_line_ids,
    failures.amount_usd,
    failures.cost_share_usd,
    catalogue.citation,
    coalesce(reviews.review_state, 'open') as review_state,
    coalesce(seen.first_seen_as_of, cast('{{ var("as_of") }}' as date)) as first_seen_as_of
from failures
inner join {{ ref('rule_catalogue') }} as catalogue on failures.rule_id = catalogue.rule_id
left join reviews on failures.finding_id = reviews.finding_id
left join seen on failures.finding_id = seen.finding_id
