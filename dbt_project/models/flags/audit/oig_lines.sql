-- Paid CCM lines that a test of an OIG audit disallows. A line that several tests of one audit name is counted in the first of them;
-- what is only potential comes last. Where a rule of ours is the test, its failures are; the other tests stand here.
with tests as (
    select * from {{ ref('oig_audit_tests') }}
),

ccm_lines as (
    select *
    from {{ ref('subject_lines') }}
    where is_ccm
),

failed as (
    select
        rule_id,
        {{ unnest_list('evidence_claim_line_ids') }} as claim_line_id
    from {{ ref('rule_results') }}
    where status = 'fail'
),

by_rule as (
    select
        tests.audit,
        tests.test_id,
        lines.claim_line_id
    from tests
    inner join failed on tests.rule_id = failed.rule_id
    inner join ccm_lines as lines
        on
            failed.claim_line_id = lines.claim_line_id
            and (tests.lane = 'any' or tests.lane = lines.lane)
            and {{ in_force('tests', 'lines.from_date') }}
),

professional_months as (
    select distinct
        beneficiary_id,
        service_month
    from ccm_lines
    where claim_type = 'carrier'
),

-- Clinics are paid on institutional claims alone, so nothing is missing beside theirs.
by_facility as (
    select
        tests.audit,
        tests.test_id,
        lines.claim_line_id
    from tests
    inner join ccm_lines as lines
        on
            tests.test_id = 'facility_alone'
            and lines.claim_type = 'outpatient'
            and lines.code_role = 'base'
            and {{ in_force('tests', 'lines.from_date') }}
    inner join {{ ref('core_claim_lines') }} as claim_lines on lines.claim_line_id = claim_lines.claim_line_id
    inner join {{ ref('core_claims') }} as claims on claim_lines.claim_id = claims.claim_id and claims.is_final
    left join {{ ref('core_practices') }} as practices on lines.practice_tin = practices.practice_tin
    left join {{ ref('clinic_bill_types') }} as clinics
        on
            substr(ltrim(claims.bill_type_code, '0'), 1, 2) = clinics.bill_type_prefix
            and {{ in_force('clinics', 'lines.from_date') }}
    left join professional_months as professional
        on lines.beneficiary_id = professional.beneficiary_id and lines.service_month = professional.service_month
    where
        professional.beneficiary_id is null
        and clinics.bill_type_prefix is null
        and coalesce(practices.practice_type, '') not in ('rhc', 'fqhc')
),

-- An add-on falls where no base of its own is left standing by the same audit's other tests.
by_add_on as (
    select
        tests.audit,
        tests.test_id,
        add_ons.claim_line_id
    from tests
    inner join ccm_lines as add_ons
        on
            tests.test_id = 'complex_add_on_alone'
            and tests.lane = add_ons.lane
            and add_ons.code_role = 'addon'
            and {{ in_force('tests', 'add_ons.from_date') }}
    left join {{ ref('addon_bases') }} as pairs
        on
            add_ons.hcpcs_code = pairs.addon_hcpcs_code
            and {{ in_force('pairs', 'add_ons.from_date') }}
    left join ccm_lines as bases
        on
            add_ons.subject_id = bases.subject_id
            and pairs.base_hcpcs_code = bases.hcpcs_code
    left join (select distinct audit, claim_line_id from by_rule) as disallowed
        on
            tests.audit = disallowed.audit
            and bases.claim_line_id = disallowed.claim_line_id
    group by tests.audit, tests.test_id, add_ons.claim_line_id
    having not bool_or(bases.claim_line_id is not null and disallowed.claim_line_id is null)
),

named as (
    select * from by_rule
    union
    select * from by_add_on
    union
    select * from by_facility
)

select
    named.audit,
    tests.test_order,
    named.test_id,
    tests.bucket,
    tests.is_potential,
    named.claim_line_id,
    lines.beneficiary_id,
    lines.service_month,
    lines.practitioner_npi,
    lines.practice_tin,
    lines.hcpcs_code,
    lines.paid_usd,
    lines.cost_share_usd,
    row_number() over (
        partition by named.audit, named.claim_line_id
        order by tests.is_potential, tests.test_order
    ) = 1 as is_counted
from named
inner join tests on named.audit = tests.audit and named.test_id = tests.test_id
inner join ccm_lines as lines on named.claim_line_id = lines.claim_line_id
