-- F27: the first CCM month with a practitioner follows only visits that cannot initiate CCM.
with subjects as (
    select *
    from {{ ref('rule_subjects') }}
    where rule_id = 'F27'
),

ccm_lines as (
    select *
    from {{ ref('subject_lines') }}
    where is_ccm
),

months as (
    select
        subjects.rule_id,
        subjects.subject_id,
        subjects.beneficiary_id,
        subjects.practitioner_npi,
        subjects.service_month,
        min(ccm_lines.from_date) as first_billed_date,
        min(ccm_lines.practice_tin) as practice_tin,
        cast({{ dbt.dateadd('month', '-policy.lookback_months', 'subjects.service_month') }} as date) as earliest_date,
        row_number() over (
            partition by subjects.beneficiary_id, subjects.practitioner_npi order by subjects.service_month
        ) as place
    from subjects
    inner join ccm_lines on subjects.subject_id = ccm_lines.subject_id
    inner join {{ ref('initiating_visit_rules') }} as policy
        on {{ in_force('policy', 'subjects.service_month') }}
    group by
        subjects.rule_id, subjects.subject_id, subjects.beneficiary_id, subjects.practitioner_npi,
        subjects.service_month, policy.lookback_months
),

qualifying as (
    select
        months.subject_id,
        count(*) as visits
    from months
    inner join {{ ref('core_visits') }} as visit
        on
            months.beneficiary_id = visit.beneficiary_id
            and visit.is_initiating_visit
            and visit.visit_date between months.earliest_date and months.first_billed_date
    where visit.practitioner_npi = months.practitioner_npi or visit.practice_tin = months.practice_tin
    group by months.subject_id
),

others as (
    select
        months.subject_id,
        bool_and(codes.confidence != 'recalled') as is_certain,
        {{ list_join(list_agg_distinct('codes.kind'), ', ') }} as kinds
    from months
    inner join {{ ref('core_claim_lines') }} as line
        on
            months.beneficiary_id = line.beneficiary_id
            and line.from_date between months.earliest_date and months.first_billed_date
            and not line.is_denied
    inner join {{ ref('non_initiating_visit_codes') }} as codes
        on
            line.hcpcs_code = codes.hcpcs_code
            and {{ in_force('codes', 'line.from_date') }}
    where line.rendering_npi = months.practitioner_npi or line.practice_tin = months.practice_tin
    group by months.subject_id
),

at_fault as (
    select
        subject_id,
        claim_line_id,
        paid_usd as amount_usd,
        cost_share_usd
    from ccm_lines
),

assessed as (
    select
        months.rule_id,
        months.subject_id,
        {{ rule_status(
            not_applicable='months.place > 1 or (qualifying.visits is null and others.kinds is null)',
            fail='qualifying.visits is null and others.kinds is not null',
            pass='qualifying.visits > 0'
        ) }} as status,
        case
            when qualifying.visits > 0 then 'a visit that may initiate CCM'
            else coalesce('only ' || others.kinds, 'no visit')
        end as observed,
        'a visit that may initiate CCM from ' || cast(months.earliest_date as {{ dbt.type_string() }})
        || ' to ' || cast(months.first_billed_date as {{ dbt.type_string() }}) as required,
        coalesce(others.is_certain, true) as is_certain
    from months
    left join qualifying on months.subject_id = qualifying.subject_id
    left join others on months.subject_id = others.subject_id
)

{{ rule_rows() }}
