-- What each finding rests on, as fingerprints that a later run compares to tell why the finding is gone: its lines, the other
-- care-management lines of the month, the record, the coverage, and the visits and conditions behind eligibility.
with wanted as (
    select
        finding_id,
        beneficiary_id,
        service_month,
        claim_line_ids
    from {{ ref('ledger_failures') }}
    union all
    select
        known.finding_id,
        known.beneficiary_id,
        known.service_month,
        known.claim_line_ids
    from {{ ref('ledger_known') }} as known
    left join {{ ref('ledger_failures') }} as failures on known.finding_id = failures.finding_id
    where failures.finding_id is null
),

months as (
    select distinct
        beneficiary_id,
        service_month
    from wanted
),

people as (
    select distinct beneficiary_id
    from months
),

lines as (
    select
        billed.claim_line_id,
        billed.beneficiary_id,
        billed.service_month,
        {{ fingerprint([
            'billed.claim_line_id', 'billed.from_date', 'billed.practitioner_npi', 'billed.hcpcs_code', 'billed.units',
            'billed.paid_usd', 'billed.is_denied']) }} as line_facts
    from {{ ref('fct_billed_lines') }} as billed
    inner join people on billed.beneficiary_id = people.beneficiary_id
),

named_lines as (
    select
        finding_id,
        {{ unnest_list('claim_line_ids') }} as claim_line_id
    from wanted
),

evidence as (
    select
        named_lines.finding_id,
        {{ fingerprint([list_join(list_agg_distinct('lines.line_facts'), '|')]) }} as facts
    from named_lines
    inner join lines on named_lines.claim_line_id = lines.claim_line_id
    group by named_lines.finding_id
),

claims as (
    select
        beneficiary_id,
        service_month,
        {{ fingerprint([list_join(list_agg_distinct('line_facts'), '|')]) }} as facts
    from lines
    group by beneficiary_id, service_month
),

record_rows as (
    select
        record.beneficiary_id,
        record.service_month,
        {{ fingerprint([
            'record.practitioner_npi', 'record.staff_seconds', 'record.practitioner_seconds', 'record.total_seconds',
            'record.first_counted_date', 'record.decision_making_level']) }} as row_facts
    from {{ ref('fct_record_months') }} as record
    inner join months
        on record.beneficiary_id = months.beneficiary_id and record.service_month = months.service_month
    union all
    select
        months.beneficiary_id,
        months.service_month,
        {{ fingerprint([
            "'consent'", 'consents.practice_tin', 'consents.consent_date', 'consents.consent_mode', 'consents.revoked_date']) }} as row_facts
    from {{ ref('core_consents') }} as consents
    inner join months on consents.beneficiary_id = months.beneficiary_id
    union all
    select
        months.beneficiary_id,
        months.service_month,
        {{ fingerprint(["'plan'", 'plans.practice_tin', 'plans.created_date', 'plans.last_revised_date']) }} as row_facts
    from {{ ref('core_care_plans') }} as plans
    inner join months on plans.beneficiary_id = months.beneficiary_id
),

records as (
    select
        beneficiary_id,
        service_month,
        {{ fingerprint([list_join(list_agg_distinct('row_facts'), '|')]) }} as facts
    from record_rows
    group by beneficiary_id, service_month
),

visits as (
    select
        months.beneficiary_id,
        months.service_month,
        count(*) as visits,
        sum(case when visits.is_initiating_visit then 1 else 0 end) as initiating_visits,
        min(visits.visit_date) as first_visit_date,
        max(visits.visit_date) as last_visit_date
    from months
    inner join {{ ref('core_visits') }} as visits
        on
            months.beneficiary_id = visits.beneficiary_id
            and months.service_month > visits.visit_date
    group by months.beneficiary_id, months.service_month
)

select
    wanted.finding_id,
    coalesce(evidence.facts, 'gone') as evidence_facts,
    coalesce(claims.facts, 'none') as claims_facts,
    coalesce(records.facts, 'none') as record_facts,
    {{ fingerprint([
        'coverage.has_part_b', 'coverage.is_medicare_advantage', 'coverage.has_hospice_election',
        'beneficiaries.death_date']) }} as coverage_facts,
    {{ fingerprint([
        'visits.visits', 'visits.initiating_visits', 'visits.first_visit_date', 'visits.last_visit_date',
        'eligibility.condition_count', 'eligibility.observed_months']) }} as history_facts
from wanted
left join evidence on wanted.finding_id = evidence.finding_id
left join claims
    on wanted.beneficiary_id = claims.beneficiary_id and wanted.service_month = claims.service_month
left join records
    on wanted.beneficiary_id = records.beneficiary_id and wanted.service_month = records.service_month
left join {{ ref('core_enrollment_months') }} as coverage
    on wanted.beneficiary_id = coverage.beneficiary_id and wanted.service_month = coverage.service_month
left join {{ ref('core_beneficiaries') }} as beneficiaries
    on wanted.beneficiary_id = beneficiaries.beneficiary_id
left join visits
    on wanted.beneficiary_id = visits.beneficiary_id and wanted.service_month = visits.service_month
left join {{ ref('eligibility_months') }} as eligibility
    on wanted.beneficiary_id = eligibility.beneficiary_id and wanted.service_month = eligibility.service_month
