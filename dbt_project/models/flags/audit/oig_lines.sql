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
