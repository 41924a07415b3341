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

transitions as (
    select
        tests.audit,
        tests.test_id,
        tests.effective_from,
        tests.effective_to,
        billed.beneficiary_id,
        billed.practitioner_npi,
        -- the days after the discharge that the service follows; where no discharge is seen, the day of the service alone
        coalesce(max(stays.end_date), billed.from_date) as first_day,
        coalesce(
            cast({{ dbt.dateadd('day', 'tests.window_days - 1', 'max(stays.end_date)') }} as date), billed.from_date
        ) as last_day
    from tests
    inner join {{ ref('fct_billed_lines') }} as billed
        on tests.test_id = 'overlap_transition' and billed.family = 'TCM'
    left join {{ ref('core_stays') }} as stays
        on
            billed.beneficiary_id = stays.beneficiary_id
            and billed.from_date >= stays.end_date
            and billed.from_date < cast({{ dbt.dateadd('day', 'tests.window_days', 'stays.end_date') }} as date)
    where not coalesce(billed.is_denied, false)
    group by
        tests.audit,
        tests.test_id,
        tests.effective_from,
        tests.effective_to,
        tests.window_days,
        billed.claim_line_id,
        billed.beneficiary_id,
        billed.practitioner_npi,
        billed.from_date
),

by_transition as (
    select distinct
        transitions.audit,
        transitions.test_id,
        lines.claim_line_id
    from transitions
    inner join ccm_lines as lines
        on
            transitions.beneficiary_id = lines.beneficiary_id
            and transitions.practitioner_npi = lines.practitioner_npi
            and lines.code_role = 'base'
            and {{ in_force('transitions', 'lines.from_date') }}
            and transitions.last_day >= lines.service_month
            and transitions.first_day <= {{ dbt.last_day('lines.service_month', 'month') }}
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

disallowed as (
    select * from by_rule
    union
    select * from by_transition
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
    left join disallowed
        on
            tests.audit = disallowed.audit
            and bases.claim_line_id = disallowed.claim_line_id
    group by tests.audit, tests.test_id, add_ons.claim_line_id
    having not bool_or(bases.claim_line_id is not null and disallowed.claim_line_id is null)
),

named as (
    select * from disallowed
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
