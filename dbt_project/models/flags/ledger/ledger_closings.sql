-- Findings of earlier runs that no longer fail, with the reason: the first that holds, from the finding's own lines outwards.
with gone as (
    select known.*
    from {{ ref('ledger_known') }} as known
    left join {{ ref('ledger_failures') }} as failures on known.finding_id = failures.finding_id
    where failures.finding_id is null
),

named_lines as (
    select
        finding_id,
        {{ unnest_list('claim_line_ids') }} as claim_line_id
    from gone
),

-- A line's claim: from the line where it stands, else from what superseded it.
line_claims as (
    select
        claim_line_id,
        claim_id,
        is_denied,
        true as is_standing
    from {{ ref('core_claim_lines') }}
    union all
    select
        claim_line_id,
        claim_id,
        false as is_denied,
        false as is_standing
    from {{ ref('core_superseded_claim_lines') }}
),

line_states as (
    select
        named_lines.finding_id,
        named_lines.claim_line_id,
        coalesce(bool_or(line_claims.is_standing), false) as is_standing,
        coalesce(bool_or(line_claims.is_standing and line_claims.is_denied), false) as is_denied,
        coalesce(
            bool_or(claims.not_final_reason in ('cancellation', 'cancelled_by_another_claim')), false
        ) as is_cancelled
    from named_lines
    left join line_claims on named_lines.claim_line_id = line_claims.claim_line_id
    left join {{ ref('core_claims') }} as claims on line_claims.claim_id = claims.claim_id
    group by named_lines.finding_id, named_lines.claim_line_id
),

evidence as (
    select
        finding_id,
        bool_or(is_cancelled and not is_standing) as is_cancelled,
        bool_or(is_denied) as is_denied,
        bool_or(not is_standing) as is_replaced
    from line_states
    group by finding_id
),

judged as (
    select
        gone.*,
        results.status as now_status,
        results.observed as now_observed,
        case
            when evidence.is_cancelled then 'claim_cancelled'
            when evidence.is_denied then 'claim_denied'
            when evidence.is_replaced or facts.evidence_facts <> gone.evidence_facts then 'claim_adjusted'
            when gone.service_month > run.through_month then 'outside_window'
            when results.status = 'cannot_assess' then 'cannot_be_assessed'
            when gone.certainty = 'needs_record' and facts.record_facts <> gone.record_facts then 'record_changed'
            when facts.coverage_facts <> gone.coverage_facts then 'enrolment_changed'
            when facts.claims_facts <> gone.claims_facts then 'other_claims_changed'
            when facts.history_facts <> gone.history_facts then 'visits_or_conditions_changed'
            when facts.record_facts <> gone.record_facts then 'record_changed'
            when run.policy_version <> gone.policy_version then 'policy_changed'
            when run.rules_version <> gone.rules_version then 'rule_changed'
            -- a pattern rests on figures of many people: that they moved is all that can be said
            when gone.subject_kind <> 'practitioner_month' then 'pattern_changed'
            else 'not_determined'
        end as reason
    from gone
    cross join {{ ref('ledger_run') }} as run
    inner join {{ ref('ledger_facts') }} as facts on gone.finding_id = facts.finding_id
    left join evidence on gone.finding_id = evidence.finding_id
    left join {{ ref('rule_results') }} as results
        on
            gone.rule_id = results.rule_id
            and coalesce(gone.beneficiary_id, gone.subject_id) = coalesce(results.beneficiary_id, results.subject_id)
            and gone.service_month = results.service_month
            and coalesce(gone.practitioner_npi, '') = coalesce(results.practitioner_npi, '')
),

-- The same rule may still fail for the same month on other lines: then that finding goes on where this one ends.
successors as (
    select
        judged.finding_id,
        min(failures.finding_id) as finding_id_after
    from judged
    inner join {{ ref('ledger_failures') }} as failures
        on
            judged.rule_id = failures.rule_id
            and coalesce(judged.beneficiary_id, judged.subject_id) = coalesce(failures.beneficiary_id, failures.subject_id)
            and judged.service_month = failures.service_month
            and coalesce(judged.practitioner_npi, '') = coalesce(failures.practitioner_npi, '')
    group by judged.finding_id
)

select
    judged.finding_id,
    judged.rule_id,
    judged.severity,
    judged.certainty,
    judged.subject_kind,
    judged.subject_id,
    judged.beneficiary_id,
    judged.service_month,
    judged.practitioner_npi,
    judged.practice_tin,
    judged.staff_id,
    judged.observed,
    judged.required,
    judged.claim_line_ids,
    judged.related_claim_line_ids,
    judged.amount_usd,
    judged.cost_share_usd,
    judged.citation,
    judged.first_seen_as_of,
    judged.last_seen_as_of,
    judged.reopened_as_of,
    coalesce(judged.absent_as_of, run.as_of) as closed_as_of,
    coalesce(judged.closed_reason, judged.reason) as closed_reason,
    case
        when judged.closed_reason is not null then judged.closed_observed
        when judged.now_status is null then 'no care management of this practitioner is left in the month'
        else concat(judged.now_status, ': ', coalesce(judged.now_observed, 'nothing to go by'))
    end as closed_observed,
    successors.finding_id_after as continued_by
from judged
cross join {{ ref('ledger_run') }} as run
left join successors on judged.finding_id = successors.finding_id
