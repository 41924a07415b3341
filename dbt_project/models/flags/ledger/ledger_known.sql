-- What earlier runs up to this as_of have shown, one row a finding: as it was when last shown, since when it has been shown, and
-- whether it was absent in between. A run as of an earlier day knows nothing of later ones, so it can be built again.
with sightings as (
    select *
    from {{ source('ledger', 'finding_sightings') }}
    where as_of <= cast('{{ var("as_of") }}' as date)
),

-- Runs in the order of their days; of one day, in the order in which they were made.
runs as (
    select
        as_of,
        run_number,
        row_number() over (order by as_of, run_number) as run_order
    from sightings
    where kind = 'run'
),

newest_run as (
    select max(run_order) as run_order
    from runs
),

shown as (
    select
        sightings.*,
        runs.run_order,
        lag(runs.run_order) over (
            partition by sightings.finding_id order by runs.run_order
        ) as order_before,
        row_number() over (
            partition by sightings.finding_id order by runs.run_order desc
        ) as recency
    from sightings
    inner join runs
        on sightings.as_of = runs.as_of and sightings.run_number = runs.run_number
    where sightings.kind = 'shown'
),

spans as (
    select
        finding_id,
        min(as_of) as first_seen_as_of,
        max(run_order) as last_order,
        max(case when run_order > order_before + 1 then as_of end) as reopened_as_of
    from shown
    group by finding_id
),

-- Why a finding was closed is judged once, by the first run that misses it, and kept.
closings as (
    select
        spans.finding_id,
        sightings.closed_reason,
        sightings.closed_observed
    from spans
    inner join sightings
        on spans.finding_id = sightings.finding_id and sightings.kind = 'closed'
    inner join runs
        on
            sightings.as_of = runs.as_of
            and sightings.run_number = runs.run_number
            and spans.last_order < runs.run_order
    qualify row_number() over (partition by spans.finding_id order by runs.run_order) = 1
)

select
    shown.finding_id,
    shown.rule_id,
    shown.severity,
    shown.certainty,
    -- runs before patterns were looked for knew one kind of subject
    coalesce(shown.subject_kind, 'practitioner_month') as subject_kind,
    shown.subject_id,
    coalesce(ids.beneficiary_id, shown.beneficiary_id) as beneficiary_id,
    shown.service_month,
    shown.practitioner_npi,
    shown.practice_tin,
    shown.staff_id,
    shown.observed,
    shown.required,
    shown.claim_line_ids,
    shown.related_claim_line_ids,
    shown.amount_usd,
    shown.cost_share_usd,
    shown.citation,
    shown.evidence_facts,
    shown.claims_facts,
    shown.record_facts,
    shown.coverage_facts,
    shown.history_facts,
    shown.policy_version,
    shown.rules_version,
    spans.first_seen_as_of,
    shown.as_of as last_seen_as_of,
    spans.reopened_as_of,
    spans.last_order < newest_run.run_order as was_absent,
    next_run.as_of as absent_as_of,
    closings.closed_reason,
    closings.closed_observed
from shown
inner join spans on shown.finding_id = spans.finding_id
cross join newest_run
left join runs as next_run on spans.last_order + 1 = next_run.run_order
left join closings on shown.finding_id = closings.finding_id
left join {{ ref('core_beneficiary_ids') }} as ids on shown.beneficiary_id = ids.delivered_id
where shown.recency = 1
