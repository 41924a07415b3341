-- The tables of the OIG's two CCM audits on these data, for all years together and for each. A practice's own view: small counts
-- stand as they are, so it is not for publication.
with claimed as (
    select
        cast(extract(year from service_month) as {{ dbt.type_string() }}) as service_year,
        claim_line_id,
        beneficiary_id,
        service_month,
        paid_usd,
        cost_share_usd
    from {{ ref('subject_lines') }}
    where is_ccm
),

ccm as (
    select
        period,
        count(*) as ccm_lines,
        count(distinct beneficiary_id) as ccm_people,
        sum(paid_usd) as ccm_paid_usd,
        min(service_month) as first_month,
        max(service_month) as last_month
    from
        (
            select
                claimed.*,
                'all' as period
            from claimed
            union all
            select
                claimed.*,
                service_year as period
            from claimed
        ) as of_period
    group by period
),

periods as (
    select 'all' as period
    union
    select period from ccm
),

present as (
    select
        count(distinct practice_tin) > 1 as has_other_practices,
        bool_or(claim_type = 'outpatient') and bool_or(claim_type = 'carrier') as has_facility_claims
    from {{ ref('core_claim_lines') }}
),

named as (
    select
        lines.*,
        'all' as period
    from {{ ref('oig_lines') }} as lines
    union all
    select
        lines.*,
        cast(extract(year from lines.service_month) as {{ dbt.type_string() }}) as period
    from {{ ref('oig_lines') }} as lines
),

-- The totals of an audit are asked like its tests: each line once, what is potential by itself.
tests as (
    select
        audit,
        test_order,
        test_id,
        test_id as counts_test_id,
        bucket,
        title,
        rule_id,
        is_potential,
        requires,
        needs,
        effective_from,
        effective_to,
        citation
    from {{ ref('oig_audit_tests') }}
    union all
    select
        audit,
        case when is_potential then 101 else 100 end as test_order,
        case when is_potential then 'total_potential' else 'total' end as test_id,
        cast(null as {{ dbt.type_string() }}) as counts_test_id,
        'total' as bucket,
        case when is_potential then 'Potential, each line once' else 'In error, each line once' end as title,
        'none' as rule_id,
        is_potential,
        'ccm_claims' as requires,
        'Paid claims of the practice' as needs,
        min(effective_from) as effective_from,
        max(effective_to) as effective_to,
        min(citation) as citation
    from {{ ref('oig_audit_tests') }}
    group by audit, is_potential
),

counted as (
    select
        tests.audit,
        tests.test_id,
        named.period,
        count(*) as lines_named,
        sum(case when named.is_counted then 1 else 0 end) as claim_lines,
        count(distinct case when named.is_counted then named.beneficiary_id end) as people,
        count(
            distinct case
                when named.is_counted
                    then concat(named.beneficiary_id, '|', cast(named.service_month as {{ dbt.type_string() }}))
            end
        ) as person_months,
        sum(case when named.is_counted then named.paid_usd else 0 end) as paid_usd,
        sum(case when named.is_counted then named.cost_share_usd else 0 end) as cost_share_usd
    from tests
    inner join named
        on
            tests.audit = named.audit
            and tests.is_potential = named.is_potential
            and (tests.counts_test_id is null or tests.counts_test_id = named.test_id)
    group by tests.audit, tests.test_id, named.period
)

select
    tests.audit,
    periods.period,
    tests.test_order,
    tests.test_id,
    tests.bucket,
    tests.title,
    tests.rule_id,
    tests.is_potential,
    case
        when ccm.period is null then 'cannot_assess'
        when ccm.last_month < tests.effective_from or ccm.first_month > tests.effective_to then 'not_applicable'
        when tests.requires = 'other_practices' and not present.has_other_practices then 'cannot_assess'
        when tests.requires = 'facility_claims' and not coalesce(present.has_facility_claims, false) then 'cannot_assess'
        else 'assessed'
    end as status,
    tests.needs,
    tests.effective_from,
    tests.effective_to,
    cast(coalesce(counted.lines_named, 0) as integer) as lines_named,
    cast(coalesce(counted.claim_lines, 0) as integer) as claim_lines,
    cast(coalesce(counted.people, 0) as integer) as people,
    cast(coalesce(counted.person_months, 0) as integer) as person_months,
    cast(coalesce(counted.paid_usd, 0) as decimal(14, 2)) as paid_usd,
    cast(coalesce(counted.cost_share_usd, 0) as decimal(14, 2)) as cost_share_usd,
    cast(coalesce(ccm.ccm_lines, 0) as integer) as ccm_lines,
    cast(coalesce(ccm.ccm_people, 0) as integer) as ccm_people,
    cast(coalesce(ccm.ccm_paid_usd, 0) as decimal(14, 2)) as ccm_paid_usd,
    ccm.first_month,
    ccm.last_month,
    tests.citation
from tests
cross join periods
cross join present
left join ccm on periods.period = ccm.period
left join counted
    on tests.audit = counted.audit and tests.test_id = counted.test_id and periods.period = counted.period
