-- What fails in this run, under a key that outlives it: the rule and the lines at fault, of a pattern the subject. Lines keep their
-- identifiers when a person's identifier changes or a delivery is repeated, so the key does too.
with practices as (
    select
        subject_id,
        min(practice_tin) as practice_tin
    from {{ ref('subject_lines') }}
    group by subject_id
)

select
    md5(
        results.rule_id || '|'
        || coalesce(nullif({{ list_join('results.evidence_claim_line_ids', '|') }}, ''), results.subject_id)
    ) as finding_id,
    results.rule_id,
    -- facts that are recalled, or edits that hold for one day only, warn whatever the rule's own severity
    case when results.is_certain then catalogue.severity else 'warning' end as severity,
    case when results.is_certain then catalogue.certainty else 'warning_only' end as certainty,
    results.subject_kind,
    results.subject_id,
    results.beneficiary_id,
    results.service_month,
    results.practitioner_npi,
    coalesce(results.practice_tin, practices.practice_tin) as practice_tin,
    results.staff_id,
    results.observed,
    results.required,
    results.evidence_claim_line_ids as claim_line_ids,
    results.related_claim_line_ids,
    results.amount_usd,
    results.cost_share_usd,
    catalogue.citation
from {{ ref('rule_results') }} as results
inner join {{ ref('rule_catalogue') }} as catalogue on results.rule_id = catalogue.rule_id
left join practices on results.subject_id = practices.subject_id
where results.status = 'fail'
